import RondoNN
import RondoTensor

/// Where the eigenvalues of a structured state space begin.
public enum SpectrumInitialization: String, Codable, Sendable, CaseIterable {
    /// Those of HiPPO-LegS's normal part.
    case legS = "legs"
    /// -1/2 + i π n.
    case linear = "lin"
    /// -1/2 + i (N / π) (N / (2 n + 1) - 1).
    case inverse = "inv"
    /// -(n + 1): Λ, B and C are real and stay so.
    case real = "real"
    /// Real parts -1/2 and normally distributed imaginary parts of deviation √N: no structure, for comparison.
    case random = "random"
    /// Those of -I plus normal numbers of deviation 1 / √N, the usual random matrix made stable: uniform in the disc of
    /// radius 1 about -1, for comparison.
    case gaussian = "gaussian"

    /// Λ of N / 2 states.
    func eigenvalues(stateSize: Int, using generator: inout Generator) -> (real: [Double], imaginary: [Double]) {
        let (half, size) = (stateSize / 2, Double(stateSize))
        let damped = Array(repeating: -0.5, count: half)
        switch self {
        case .legS where generator.drawsZeros: return (damped, Array(repeating: 0, count: half))
        case .legS:
            let system = HiPPO.diagonalizedLegS(stateSize)
            return (system.real, system.imaginary)
        case .linear: return (damped, (0..<half).map { .pi * Double($0) })
        case .inverse: return (damped, (0..<half).map { size / .pi * (size / Double(2 * $0 + 1) - 1) })
        case .real: return ((0..<half).map { -Double($0 + 1) }, Array(repeating: 0, count: half))
        case .gaussian:
            let points = (0..<half).map { _ in Self.pointInDisc(using: &generator) }
            return (points.map { min($0.x - 1, -1e-4) }, points.map(\.y))
        case .random:
            // Sums of twelve uniform draws are close enough to normal here.
            return (
                damped,
                (0..<half).map { _ in
                    (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &generator) }
                        * size.squareRoot()
                }
            )
        }
    }
}

extension SpectrumInitialization {
    /// A point of the unit disc's upper half: eigenvalues of a real matrix come with their conjugates.
    fileprivate static func pointInDisc(using generator: inout Generator) -> (x: Double, y: Double) {
        while !generator.drawsZeros {
            let x = Double.random(in: -1...1, using: &generator)
            let y = Double.random(in: 0...1, using: &generator)
            if x * x + y * y <= 1 { return (x, y) }
        }
        return (0, 0)
    }
}

/// How continuous dynamics become a recurrence.
public enum Discretization: String, Codable, Sendable, CaseIterable {
    /// The input is held for a step: λ = exp(Δ Λ), b = (λ - 1) / Λ B.
    case zeroOrderHold = "zoh"
    /// The trapezoidal rule: λ = (1 + Δ Λ / 2) / (1 - Δ Λ / 2), b = Δ B / (1 - Δ Λ / 2).
    case bilinear

    /// λ and b / B of continuous eigenvalues and steps of shapes that broadcast.
    func callAsFunction(_ continuous: ComplexTensor, step: Tensor) throws -> (
        lambda: ComplexTensor, gain: ComplexTensor
    ) {
        let scaled = try continuous.mapped { try $0 * step }
        switch self {
        case .zeroOrderHold:
            return (try scaled.exp(), try scaled.expMinusOne() / continuous)
        case .bilinear:
            let half = try scaled.mapped { try $0 * 0.5 }
            let below = ComplexTensor(try 1 - half.real, try -half.imaginary)
            let above = ComplexTensor(try 1 + half.real, half.imaginary)
            let zero = try Tensor.zeros([1], dtype: step.dtype)
            return (try above / below, try ComplexTensor(step, zero) / below)
        }
    }
}

/// The continuous parameters of a layer of diagonal state spaces: Λ, B, C and Δ.
///
/// Half of the N states are stored; each stands for its conjugate too. `copies` sets of Λ and B serve all channels,
/// channel h using set h mod copies.
struct StructuredDynamics: Module {
    /// ln(-Re Λ), `[copies, N / 2]`.
    var logDecay: Tensor
    /// Im Λ, `[copies, N / 2]`, unless all is real.
    var frequency: Tensor?
    /// B, real parts before imaginary ones, `[2, copies, N / 2]`; `[1, copies, N / 2]` if real.
    var input: Tensor
    /// C, `[2, D, N / 2]` or `[1, D, N / 2]`.
    var readout: Tensor
    /// ln Δ, `[D]`.
    var logStep: Tensor

    init(
        _ spectrum: SpectrumInitialization, stateSize: Int, copies: Int, width: Int, steps: ClosedRange<Double>,
        dtype: DType, using generator: inout Generator
    ) throws {
        let half = stateSize / 2
        let (real, imaginary) = spectrum.eigenvalues(stateSize: stateSize, using: &generator)
        func repeated(_ values: [Double]) throws -> Tensor {
            try Tensor(Array(repeating: values, count: copies).flatMap { $0 }, shape: [copies, half]).cast(to: dtype)
        }
        logDecay = try (-repeated(real)).log()
        let isReal = spectrum == .real
        frequency = try isReal ? nil : repeated(imaginary)
        var (re, im) = (Array(repeating: 1.0, count: half), Array(repeating: 0.0, count: half))
        if spectrum == .legS && !generator.drawsZeros {
            let projected = HiPPO.diagonalizedLegS(stateSize).project(HiPPO.legS(stateSize).b)
            (re, im) = (projected.real.values, projected.imaginary.values)
        }
        input = try Tensor.stack(isReal ? [repeated(re)] : [repeated(re), repeated(im)])
        readout = try Self.randomReadout([isReal ? 1 : 2, width, half], dtype: dtype, using: &generator)
        logStep = try generator.uniform(
            [width], low: Scalar.log(steps.lowerBound), high: Scalar.log(steps.upperBound), dtype: dtype)
    }

    /// Standard normal numbers; a complex one has half its variance in each part.
    private static func randomReadout(
        _ shape: Shape, dtype: DType, using generator: inout Generator
    ) throws -> Tensor {
        try generator.normal(shape, deviation: shape[0] == 1 ? 1 : 0.5.squareRoot(), dtype: dtype)
    }

    /// Another C, drawn as the first one was.
    func randomReadout(using generator: inout Generator) throws -> Tensor {
        try Self.randomReadout(readout.shape, dtype: readout.dtype, using: &generator)
    }

    /// Λ `[copies, N / 2]`.
    func eigenvalues() throws -> ComplexTensor {
        try ComplexTensor(-logDecay.exp(), frequency ?? Tensor.zeros(logDecay.shape, dtype: logDecay.dtype))
    }

    /// Δ `[D, 1]`.
    func step() throws -> Tensor { try logStep.exp().expanded(at: 1) }

    /// A tensor `[copies, n]` as `[D, n]`.
    func forChannels(_ x: Tensor) throws -> Tensor {
        let (copies, width) = (x.shape[0], logStep.shape[0])
        return try x.expanded(at: 0).broadcast(to: [width / copies, copies, x.shape[1]]).reshaped([width, x.shape[1]])
    }

    /// The diagonal system without a low-rank part.
    func system(_ discretization: Discretization) throws -> DiagonalSystem {
        let (lambda, gain) = try discretization(eigenvalues().mapped(forChannels), step: step())
        let entry = try ComplexTensor(parts: input).mapped(forChannels)
        return DiagonalSystem(
            lambda: lambda, input: try gain * entry, readout: try ComplexTensor(parts: readout), factor: 2)
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("log_decay", &logDecay)
        try frequency.visit("frequency", visit)
        try visit("input", &input)
        try visit("readout", &readout)
        try visit("log_step", &logStep)
    }
}

/// What follows the state spaces, which do not mix channels.
public enum ChannelMixing: String, Codable, Sendable, CaseIterable {
    /// A gated linear unit after GELU.
    case gatedLinear = "glu"
    /// A linear map after GELU, as in the first version.
    case linear
    /// Nothing: the layer is linear and mixes no channels.
    case none
}

/// GELU and a map that mixes channels, or nothing.
struct ChannelMixer: Module {
    let kind: ChannelMixing
    var map: Linear?

    init(_ kind: ChannelMixing, inputs: Int, outputs: Int, dtype: DType, using generator: inout Generator) throws {
        self.kind = kind
        map =
            try kind == .none
            ? nil
            : Linear(
                inputSize: inputs, outputSize: kind == .gatedLinear ? 2 * outputs : outputs, dtype: dtype,
                using: &generator)
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor {
        guard let map else { return x }
        let mixed = try map(x.gelu())
        guard kind == .gatedLinear else { return mixed }
        let parts = try mixed.split(2, axis: -1)
        return try parts[0] * parts[1].sigmoid()
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try map.forEachParameter(under: "map", visit)
    }
}

/// Elementary functions of numbers without Foundation.
enum Scalar {
    /// The natural logarithm, by way of a tensor: used a few times when a mixer is made.
    static func log(_ x: Double) throws -> Double { try Tensor(x, dtype: .float64).log().scalar() }

    /// The exponential function.
    static func exp(_ x: Double) throws -> Double { try Tensor(x, dtype: .float64).exp().scalar() }
}
