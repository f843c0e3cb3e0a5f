/// Keeps numbers that are not finite out of the positions before them.
///
/// A chunk form multiplies blocks whose masked weights are zero, and zero times NaN is NaN: without care, one bad
/// position would spoil those before it in the same chunk. If an operand is not finite, the positions from the first
/// bad one of a row on are computed with zeros and then marked NaN, as is the row's final state; everything before has
/// the bits that it has with any finite future.
enum FiniteFuture {
    /// Runs a sequence operation.
    ///
    /// - Parameters:
    ///   - inputs: All operands.
    ///   - sequences: Those `[batch, time, ...]` that must be finite.
    ///   - logDecay: The one that may be -∞, if there is one: a reset is no bad number.
    ///   - body: Computes `[batch, time, ...]` and a state `[batch, ...]`.
    /// - Returns: What `body` returns, with NaN where it belongs.
    /// - Throws: What `body` throws.
    static func guarding(
        _ inputs: [Tensor], sequences: [Int], logDecay: Int? = nil, _ body: ([Tensor]) throws -> FusedResult
    ) throws -> FusedResult {
        // A single position has nothing before it.
        guard inputs[sequences[0]].shape[1] > 1 else { return try body(inputs) }
        let checked = sequences + (logDecay.map { [$0] } ?? [])
        if try checked.allSatisfy({ try inputs[$0].isFinite() }) { return try body(inputs) }
        let (batch, time) = (inputs[sequences[0]].shape[0], inputs[sequences[0]].shape[1])
        var good = Array(repeating: time, count: batch)
        for index in checked {
            let first = try firstBad(inputs[index], allowsNegativeInfinity: index == logDecay)
            good = zip(good, first).map { Swift.min($0, $1) }
        }
        guard good.contains(where: { $0 < time }) else { return try body(inputs) }
        let flags = good.flatMap { limit in (0..<time).map { $0 < limit ? 1.0 : 0 } }
        let mask = try Tensor(flags, shape: [batch, time]).cast(to: inputs[0].dtype)
        var clean = inputs
        for index in checked { clean[index] = try replaced(inputs[index], where: mask, by: 0) }
        var result = try body(clean)
        result.outputs[0] = try replaced(result.outputs[0], where: mask, by: .nan)
        let whole = try Tensor(good.map { $0 < time ? 0.0 : 1 }, shape: [batch]).cast(to: mask.dtype)
        result.outputs[1] = try replaced(result.outputs[1], where: whole, by: .nan)
        return result
    }

    /// The first position of each row that holds a bad number; `time` if none does.
    private static func firstBad(_ x: Tensor, allowsNegativeInfinity: Bool) throws -> [Int] {
        let (batch, time) = (x.shape[0], x.shape[1])
        let width = Swift.max(1, x.count / Swift.max(1, batch * time))
        let values = try x.detached().cast(to: .float64).array(of: Double.self)
        return (0..<batch).map { row in
            let own = row * time * width
            let bad = values[own..<own + time * width].firstIndex {
                !$0.isFinite && !(allowsNegativeInfinity && $0 == -.infinity)
            }
            return bad.map { ($0 - own) / width } ?? time
        }
    }

    /// A tensor with a number where a mask over its leading axes is 0.
    private static func replaced(_ x: Tensor, where mask: Tensor, by value: Double) throws -> Tensor {
        let shape = mask.shape + Array(repeating: 1, count: x.rank - mask.rank)
        return try Tensor.select(mask.reshaped(shape), x, Tensor.full([], value, dtype: x.dtype))
    }
}
