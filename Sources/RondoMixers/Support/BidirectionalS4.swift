public import RondoNN
public import RondoTensor

/// S4 in both directions: two kernels of the same dynamics over the same sequence, added into one convolution.
///
/// With the kernels K and K' of Λ, P, B, Δ and the readouts C and C',
///
///     u_t = Σ_(l ≥ 0) K_l x_(t-l) + Σ_(l ≥ 0) K'_l x_(t+1+l) + d x_t
///
/// and then what follows in ``S4``: K' reads the sequence reversed, from its end to the position after t, so that the
/// position itself is read once. (Gu, Goel and Ré, *Efficiently modeling long sequences with structured state spaces*,
/// 2021; the convention is that of the official code, `state-spaces/s4`, with `bidirectional=True`.)
///
/// It sees the future, so it is no ``SequenceMixer`` and cannot stream. For two layers of any mixers, each with all of
/// its parameters, there is ``Bidirectional``.
public struct BidirectionalS4: Module {
    /// From the beginning to each position, with what follows the convolution.
    public var forward: S4
    /// C', the readout of what lies ahead, `[2, D, N / 2]` or `[1, D, N / 2]`.
    public var readoutAhead: Tensor

    /// Creates a layer as ``S4`` does.
    ///
    /// - Parameters:
    ///   - configuration: The shape.
    ///   - dModel: The width of input and output.
    ///   - dtype: float32, or float64 for checking.
    ///   - generator: Draws the parameters.
    /// - Throws: `RondoError` for an impossible configuration.
    public init(
        _ configuration: S4.Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        forward = try S4(configuration, dModel: dModel, dtype: dtype, using: &generator)
        readoutAhead = try forward.dynamics.randomReadout(using: &generator)
    }

    /// The width of input and output.
    public var dModel: Int { forward.dModel }

    /// The convolution that reads from the end, as an ``S4`` of its own: its kernel is K'.
    public var backward: S4 {
        var copy = forward
        copy.dynamics.readout = readoutAhead
        return copy
    }

    /// The taps of the convolution of sequences of a length, `[D, 2 length - 1]`: those of the future, the farthest
    /// first, then that of the position itself and those of the past.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` for a length below 1.
    public func kernel(length: Int) throws -> Tensor {
        let past = try forward.kernel(length: length)
        guard length > 1 else { return past }
        let future = try backward.kernel(length: length - 1)
        let reversed = try future.reversingTime(lengths: Array(repeating: length - 1, count: dModel))
        return try Tensor.concatenate([reversed, past], axis: 1)
    }

    /// Reads whole sequences.
    ///
    /// - Parameters:
    ///   - x: `[batch, time, dModel]`.
    ///   - lengths: The positions of each row that count, each in `0...time`; all if `nil`. What stands behind them plays
    ///     no part.
    /// - Returns: `[batch, time, dModel]`, zero beyond a row's length.
    /// - Throws: `RondoError` when shapes or lengths do not fit.
    public func callAsFunction(_ x: Tensor, lengths: [Int]? = nil) throws -> Tensor {
        try forward.requireInput(x, state: forward.initialState(batch: x.shape.first ?? 0))
        let time = x.shape[1]
        guard x.count > 0 else { return x }
        // Nothing comes in from behind a row's end, as if it ended there.
        let inside = try lengths.map { try x.clearing(beyond: $0) } ?? x
        // A causal convolution that is late by all taps of the future.
        let late = try LongConvolution()([inside.padded(1, before: 0, after: time - 1), kernel(length: time)])[0]
        let y = try forward.output(late.sliced(1, time - 1..<2 * time - 1), inside)
        return try lengths.map { try y.clearing(beyond: $0) } ?? y
    }

    /// Visits those of ``S4`` and `readout_ahead`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try forward.forEachParameter(visit)
        try visit("readout_ahead", &readoutAhead)
    }
}
