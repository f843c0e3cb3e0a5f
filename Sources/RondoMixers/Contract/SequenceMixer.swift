public import RondoNN
public import RondoTensor

/// Reads position by position: a mixer with its matrices laid out for it.
///
/// A value: a copy continues on its own. The memory of the sequence is in the state alone.
public protocol MixerStepper: Sendable {
    /// Reads one position, `[batch, dModel]` to `[batch, dModel]`.
    ///
    /// The result may be overwritten by the next call.
    mutating func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor

    /// Reads one position as a layer of a model; only mixers that share values need their own.
    mutating func callAsFunction(
        _ x: Tensor, state: inout MixerState, passing shared: inout SharedValues
    ) throws -> Tensor
}

extension MixerStepper {
    /// Passes on what it finds.
    public mutating func callAsFunction(
        _ x: Tensor, state: inout MixerState, passing shared: inout SharedValues
    ) throws -> Tensor {
        try self(x, state: &state)
    }
}

/// Steps of a mixer as it is.
private struct PlainStepper<Mixer: SequenceMixer>: MixerStepper {
    let mixer: Mixer

    func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try mixer.step(x, state: &state)
    }

    func callAsFunction(
        _ x: Tensor, state: inout MixerState, passing shared: inout SharedValues
    ) throws -> Tensor {
        try mixer.step(x, state: &state, passing: &shared)
    }
}

/// Steps by a function whose operations change the state in place.
private struct DirectStepper: MixerStepper {
    let shape: Shape
    let architecture: String
    let body: @Sendable (Tensor, inout MixerState, inout SharedValues) throws -> Tensor

    func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        var alone = SharedValues()
        return try self(x, state: &state, passing: &alone)
    }

    func callAsFunction(
        _ x: Tensor, state: inout MixerState, passing shared: inout SharedValues
    ) throws -> Tensor {
        guard x.shape == shape, state.batch == shape[0] else {
            throw RondoError(
                .shapeMismatch,
                "\(architecture): the stepper reads \(shape); got \(x.shape) and a state of \(state.batch) rows")
        }
        let y = try body(x, &state, &shared)
        state.advance(by: 1)
        return y
    }
}

/// A map of sequences `[batch, time, dModel]` to sequences of the same shape that looks backwards only, with a state.
///
/// One function in three forms that must agree: ``chunk(_:state:)`` reads a piece after what the state has seen,
/// ``parallel(_:)`` a whole sequence, ``step(_:state:)`` one position. ``reference(_:state:)`` states the equations
/// position by position and is what the others are tested against. The conformance suite (`rondo verify`) checks the
/// laws of this contract on every registered type.
///
/// A mixer is a struct of parameters. It holds no memory between calls: all memory is in ``MixerState``. Results are
/// a deterministic function of parameters, input and state.
public protocol SequenceMixer: Module {
    /// The mixer's own part of a model's configuration.
    associatedtype Configuration: MixerConfiguration

    /// What the mixer is: name, equations, source, costs.
    static var card: MixerCard { get }

    /// Small valid shapes that together reach every option; laws, documentation and benchmarks share them.
    static var examples: [MixerExample<Configuration>] { get }

    /// The shape of this mixer.
    var configuration: Configuration { get }

    /// The width of input and output.
    var dModel: Int { get }

    /// Creates a mixer with random parameters.
    ///
    /// - Parameters:
    ///   - configuration: The shape.
    ///   - dModel: The width of input and output.
    ///   - dtype: float32, or float64 for checking.
    ///   - generator: Draws the parameters.
    /// - Throws: `RondoError` for an impossible configuration.
    init(_ configuration: Configuration, dModel: Int, dtype: DType, using generator: inout Generator) throws

    /// The state before the first position of `batch` rows: the only beginning; there is no state that is absent.
    func initialState(batch: Int) throws -> MixerState

    /// Reads a piece of any length (also none) after what `state` has seen.
    ///
    /// - Parameters:
    ///   - x: `[batch, time, dModel]`.
    ///   - state: The state before the piece; becomes the one after it.
    /// - Returns: `[batch, time, dModel]`.
    /// - Throws: `RondoError` when shapes do not fit.
    func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor

    /// Reads one position, `[batch, dModel]` to `[batch, dModel]`, in constant memory if the state is constant.
    func step(_ x: Tensor, state: inout MixerState) throws -> Tensor

    /// Reads whole sequences from the initial state.
    func parallel(_ x: Tensor) throws -> Tensor

    /// Prepares reading position by position, with everything laid out once.
    func makeStepper(batch: Int) throws -> any MixerStepper

    /// How many independent maps lie one after the other along the rows of a parameter, as the gates of a cell do:
    /// optimisers that treat matrices as a whole take them apart.
    func blockCount(ofParameter path: String) -> Int

    /// Whether outputs jump where something crosses a threshold, as spikes do.
    ///
    /// Such a mixer has no derivatives: it trains on surrogates, and its ``reference(_:state:)`` defines them, as
    /// recorded. And where rounding decides about a threshold, other outputs are as right. The conformance suite does
    /// not ask for the derivatives of differences then, and lets one output in a thousand differ.
    var hasThresholds: Bool { get }

    /// The equations of the source, one position after the other, from primitive operations alone.
    func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor
}

extension SequenceMixer {
    /// A chunk of one position.
    public func step(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try chunk(x.expanded(at: 1), state: &state).squeezed(1)
    }

    /// A chunk from the initial state.
    public func parallel(_ x: Tensor) throws -> Tensor {
        var state = try initialState(batch: x.shape[0])
        return try chunk(x, state: &state)
    }

    /// No.
    public var hasThresholds: Bool { false }

    /// One.
    public func blockCount(ofParameter path: String) -> Int { 1 }

    /// The mixer's own ``step(_:state:)``.
    public func makeStepper(batch: Int) throws -> any MixerStepper { PlainStepper(mixer: self) }

    /// Steps by a function of one position, whose operations may change the state in place; no derivative flows.
    ///
    /// - Parameters:
    ///   - batch: The number of rows.
    ///   - body: One position, `[batch, dModel]` to `[batch, dModel]`; it does not move the positions on.
    /// - Returns: The stepper.
    public func stepper(
        batch: Int, _ body: @escaping @Sendable (Tensor, inout MixerState) throws -> Tensor
    ) -> any MixerStepper {
        sharingStepper(batch: batch) { x, state, _ in try body(x, &state) }
    }

    /// The same for mixers that share values along the depth of a model.
    public func sharingStepper(
        batch: Int, _ body: @escaping @Sendable (Tensor, inout MixerState, inout SharedValues) throws -> Tensor
    ) -> any MixerStepper {
        DirectStepper(shape: [batch, dModel], architecture: Self.architecture, body: body)
    }

    /// The name in configurations, files and on the command line, as `gated_delta_net`.
    public static var architecture: String { card.name }

    /// Refuses inputs that are not `[batch, time, dModel]` with the state's number of rows.
    ///
    /// - Throws: `RondoError` of code `shapeMismatch` that names the mixer and the shapes.
    public func requireInput(_ x: Tensor, state: MixerState) throws {
        guard x.rank == 3, x.shape[2] == dModel, x.shape[0] == state.batch else {
            throw RondoError(
                .shapeMismatch,
                "\(Self.architecture): the input must be [\(state.batch), time, \(dModel)] for a state of "
                    + "\(state.batch) rows; got \(x.shape)")
        }
    }

    /// Reads position by position: what most references are.
    ///
    /// - Parameters:
    ///   - x: `[batch, time, dModel]`.
    ///   - state: The state before; becomes the one after.
    ///   - body: One position, `[batch, dModel]` to `[batch, dModel]`. It need not move the positions on.
    /// - Returns: `[batch, time, dModel]`.
    /// - Throws: `RondoError` when shapes do not fit, or what `body` throws.
    public func scanning(
        _ x: Tensor, state: inout MixerState, _ body: (Tensor, inout MixerState) throws -> Tensor
    ) throws -> Tensor {
        try requireInput(x, state: state)
        guard x.shape[1] > 0 else { return x }
        let outputs = try (0..<x.shape[1]).map { time in
            let y = try body(x.selecting(1, time), &state)
            state.advance(by: 1)
            return y
        }
        return try Tensor.stack(outputs, axis: 1)
    }
}
