public import RondoNN
public import RondoTensor

/// Two mixers over the same sequences, one from each end (Schuster and Paliwal, 1997): any cell in each direction.
///
/// Each row is reversed by its own length, so padding at the end never comes before what is read. It sees the future, so
/// it is no ``SequenceMixer`` and cannot stream; ``chunk(_:lookAhead:state:)`` reads pieces with a limited view ahead.
public struct Bidirectional: Module {
    /// Reads from the beginning.
    public var forward: any SequenceMixer
    /// Reads from the end.
    public var backward: any SequenceMixer

    /// Puts two mixers side by side.
    ///
    /// - Parameters:
    ///   - forward: Reads from the beginning.
    ///   - backward: Reads from the end.
    /// - Throws: `RondoError` of code `invalidArgument` if their widths differ.
    public init(forward: any SequenceMixer, backward: any SequenceMixer) throws {
        guard forward.dModel == backward.dModel else {
            throw RondoError(
                .invalidArgument,
                "bidirectional: both directions read the same input, but have widths \(forward.dModel) and "
                    + "\(backward.dModel)")
        }
        self.forward = forward
        self.backward = backward
    }

    /// Reads whole sequences.
    ///
    /// - Parameters:
    ///   - x: `[batch, time, dModel]`.
    ///   - lengths: The positions of each row that count, each in `0...time`; all if `nil`.
    /// - Returns: Both outputs side by side, `[batch, time, 2 dModel]`, zero beyond a row's length.
    /// - Throws: `RondoError` when shapes or lengths do not fit.
    public func callAsFunction(_ x: Tensor, lengths: [Int]? = nil) throws -> Tensor {
        let lengths = lengths ?? Array(repeating: x.shape.first ?? 0 > 0 ? x.shape[1] : 0, count: x.shape.first ?? 0)
        let ahead = try forward.parallel(x)
        let behind = try x.reversingTime(lengths: lengths)
        let both = try Tensor.concatenate([ahead, backward.parallel(behind).reversingTime(lengths: lengths)], axis: 2)
        return try both.clearing(beyond: lengths)
    }

    /// Reads a piece after what `state` has seen, with some positions after it in view.
    ///
    /// The forward direction goes on from its state; the backward one begins anew at the end of what is in view.
    ///
    /// - Parameters:
    ///   - x: The piece, `[batch, time, dModel]`.
    ///   - lookAhead: What follows it, `[batch, any, dModel]`.
    ///   - state: The forward mixer's state before the piece; becomes the one after it.
    /// - Returns: `[batch, time, 2 dModel]`.
    /// - Throws: `RondoError` when shapes do not fit.
    public func chunk(_ x: Tensor, lookAhead: Tensor, state: inout MixerState) throws -> Tensor {
        let ahead = try forward.chunk(x, state: &state)
        let view = try Tensor.concatenate([x, lookAhead], axis: 1)
        let lengths = Array(repeating: view.shape[1], count: view.shape[0])
        let behind = try backward.parallel(view.reversingTime(lengths: lengths)).reversingTime(lengths: lengths)
        return try Tensor.concatenate([ahead, behind.sliced(1, 0..<x.shape[1])], axis: 2)
    }

    /// Visits `forward` and `backward`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try forward.forEachParameter(under: "forward", visit)
        try backward.forEachParameter(under: "backward", visit)
    }
}

extension Tensor {
    /// The first positions of every row `[batch, time, ...]` in reverse order; those beyond its length stay.
    ///
    /// - Parameter lengths: How many positions of each row are reversed.
    /// - Returns: A tensor of the same shape.
    /// - Throws: `RondoError` of code `outOfRange` if a length is not in `0...time`, or if their number is not the batch.
    public func reversingTime(lengths: [Int]) throws -> Tensor {
        try requireLengths(lengths, "reversingTime")
        let (batch, time) = (shape[0], shape[1])
        let places = (0..<batch).flatMap { row in
            (0..<time).map { Int32(row * time + ($0 < lengths[row] ? lengths[row] - 1 - $0 : $0)) }
        }
        return try reshaped([batch * time] + shape.dropFirst(2)).takingRows(Tensor(places)).reshaped(shape)
    }

    /// Rows `[batch, time, features]` with zeros beyond their lengths, whatever stood there.
    ///
    /// - Throws: `RondoError` of code `outOfRange` if a length is not in `0...time`, or if their number is not the batch.
    func clearing(beyond lengths: [Int]) throws -> Tensor {
        try requireLengths(lengths, "lengths of rows")
        guard lengths.contains(where: { $0 != shape[1] }) else { return self }
        let counts = lengths.flatMap { length in (0..<shape[1]).map { $0 < length ? 1.0 : 0 } }
        let inside = try Tensor(counts, shape: [lengths.count, shape[1], 1]).cast(to: dtype)
        return try Tensor.select(inside, self, Tensor.zeros([], dtype: dtype))
    }

    private func requireLengths(_ lengths: [Int], _ operation: String) throws {
        guard rank >= 2, lengths.count == shape[0], lengths.allSatisfy({ (0...shape[1]).contains($0) }) else {
            throw RondoError(
                .outOfRange,
                "\(operation): rows of shape \(shape) need as many lengths, each within the second extent; got \(lengths)"
            )
        }
    }
}
