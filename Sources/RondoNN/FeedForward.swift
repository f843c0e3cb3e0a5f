public import RondoTensor

/// Two projections with a nonlinearity between them, at each position: `[..., dModel]` to `[..., dModel]`.
public struct FeedForward: Module {
    /// What stands between the projections.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        case relu
        case gelu
        case silu
        /// SiLU of a second projection, times the first (Shazeer, 2020).
        case swiGLU = "swiglu"
        /// GELU of a second projection (its tanh form), times the first.
        case geGLU = "geglu"

        /// Whether a second projection gates the first.
        public var isGated: Bool { self == .swiGLU || self == .geGLU }
    }

    /// What stands between the projections.
    public let kind: Kind
    /// To the hidden width.
    public var up: Linear
    /// To the hidden width, through the nonlinearity; only gated kinds have it.
    public var gate: Linear?
    /// Back to `dModel`.
    public var down: Linear

    /// Creates a block with the weights of ``Linear``.
    public init(
        dModel: Int, hiddenSize: Int, kind: Kind = .swiGLU, bias: Bool = false, dtype: DType = .float32,
        using generator: inout Generator
    ) throws {
        self.kind = kind
        up = try Linear(inputSize: dModel, outputSize: hiddenSize, bias: bias, dtype: dtype, using: &generator)
        gate =
            try kind.isGated
            ? Linear(inputSize: dModel, outputSize: hiddenSize, bias: bias, dtype: dtype, using: &generator) : nil
        down = try Linear(inputSize: hiddenSize, outputSize: dModel, bias: bias, dtype: dtype, using: &generator)
    }

    /// Applies the block.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        let hidden = try up(x)
        switch kind {
        case .relu: return try down(hidden.relu())
        case .gelu: return try down(hidden.gelu())
        case .silu: return try down(hidden.silu())
        case .swiGLU: return try down(gate.map { try hidden * $0(x).silu() } ?? hidden)
        case .geGLU: return try down(gate.map { try hidden * $0(x).unary(.geluTanh) } ?? hidden)
        }
    }

    /// Visits `up`, `gate` and `down`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try up.forEachParameter(under: "up", visit)
        try gate.forEachParameter(under: "gate", visit)
        try down.forEachParameter(under: "down", visit)
    }
}
