/// An operation of any number of tensors in and out that a device may compute in one go.
///
/// The operation itself says only what is computed: its `reference`, a composition of primitives, is the
/// definition, runs on every device and in float64, and is what kernels are tested against.
public protocol FusedOperation: Sendable {
    /// The name in error messages and in the registry of tests.
    static var name: String { get }

    /// Whether it reads quantised operands as they are stored; the others refuse them.
    static var readsQuantized: Bool { get }

    /// The outputs, computed with primitives alone. Derivatives flow through it mechanically.
    func reference(_ inputs: [Tensor]) throws -> [Tensor]

    /// Refuses inputs of wrong shapes or types, before any kernel sees them.
    /// - Throws: ``RondoError`` naming the operation, the shapes and the remedy.
    func validate(_ inputs: [Tensor]) throws

    /// The operation as its own kernel of the CPU, if it is one (``CPUFusedOperation``).
    ///
    /// A requirement and not a cast, which would take longer than many a kernel.
    var cpuKernel: (any FusedKernel)? { get }
}

/// A device's implementation of a fused operation, with its hand-written derivative.
public protocol FusedKernel: Sendable {
    /// Computes the outputs, and whatever the derivative will need.
    func forward(_ inputs: [Tensor]) throws -> FusedResult

    /// From the outputs' cotangents (`nil`: zero) to the inputs' (`nil`: none flows).
    func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?]
}

/// What a fused kernel's forward computation leaves behind.
public struct FusedResult: Sendable {
    /// The results.
    public var outputs: [Tensor]
    /// Intermediate results that only the derivative reads.
    public var saved: [Tensor]
    /// Which of the operands and results the derivative reads too; the others are released early.
    public var retained: FusedRetention

    /// Bundles outputs with what the derivative will read.
    public init(outputs: [Tensor], saved: [Tensor] = [], retained: FusedRetention = [.inputs, .outputs]) {
        self.outputs = outputs
        self.saved = saved
        self.retained = retained
    }
}

/// The tensors around a fused operation that its derivative needs.
public struct FusedRetention: OptionSet, Sendable {
    /// The set's bits.
    public let rawValue: Int

    /// Creates a set from its bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Keep the operands for the derivative.
    public static let inputs = FusedRetention(rawValue: 1)
    /// Keep the results for the derivative.
    public static let outputs = FusedRetention(rawValue: 2)
}

/// What a fused kernel's derivative may read.
public struct FusedContext: Sendable {
    /// The operands, if retained (else empty).
    public let inputs: [Tensor]
    /// The results, if retained (else empty).
    public let outputs: [Tensor]
    /// What `forward` saved.
    public let saved: [Tensor]
    /// Which operands a derivative is wanted for.
    public let wanted: [Bool]
}

/// How fused operations are computed, for tests that compare the two ways.
public enum FusedMode: Sendable {
    /// The device's kernel where it has one.
    case kernel
    /// The composition of primitives.
    case reference
}

extension FusedOperation {
    /// No.
    public static var readsQuantized: Bool { false }
    /// None.
    public var cpuKernel: (any FusedKernel)? { nil }

    /// Computes the operation: by the device's kernel if it has one, else by the reference.
    public func callAsFunction(_ inputs: [Tensor], mode: FusedMode = .kernel) throws -> [Tensor] {
        if !Self.readsQuantized, let operand = inputs.first(where: { $0.dtype.isQuantized }) {
            throw operand.dtype.needsCast(Self.name)
        }
        try validate(inputs)
        guard mode == .kernel, let first = inputs.first, let kernel = first.storage.backend.kernel(for: self) else {
            return try reference(inputs)
        }
        guard inputs.contains(where: { $0.link != nil }) else { return try kernel.forward(inputs).outputs }
        let detached = inputs.map { $0.detached() }
        let result = try kernel.forward(detached)
        var outputs = result.outputs
        let wanted = inputs.map { $0.link != nil }
        let context = FusedContext(
            inputs: result.retained.contains(.inputs) ? detached : [],
            outputs: result.retained.contains(.outputs) ? outputs : [], saved: result.saved, wanted: wanted)
        let node = GradientNode(parents: inputs.map(\.link), outputCount: outputs.count) {
            try kernel.backward(context, $0)
        }
        for index in outputs.indices where outputs[index].dtype.isDifferentiable {
            outputs[index].link = GradientLink(node: node, output: index)
        }
        return outputs
    }
}

/// A fused operation that the CPU computes with a kernel of its own: the operation is its own kernel.
public protocol CPUFusedOperation: FusedOperation, FusedKernel {}

extension CPUFusedOperation {
    /// The operation itself.
    public var cpuKernel: (any FusedKernel)? { self }
}
