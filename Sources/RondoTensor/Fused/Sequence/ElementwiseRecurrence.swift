/// What the recurrences over independent channels share.
enum ElementwiseRecurrence {
    /// Channels of one piece of work: whole vectors on every instruction set, enough of them to keep several in flight.
    static let block = 64

    /// Runs `body(piece, first, last)` for all blocks of `channels` channels of all `pieces` of `time` positions, in any
    /// order.
    static func forEachBlock(_ pieces: Int, _ channels: Int, time: Int, _ body: (Int, Int, Int) -> Void) {
        let blocks = (channels + block - 1) / block
        parallelFor(pieces * blocks, work: 32 * time * block) { index in
            let (piece, part) = index.quotientAndRemainder(dividingBy: blocks)
            body(piece, part * block, min(channels, (part + 1) * block))
        }
    }

    /// A copy that a kernel may change in place, zeros where there is nothing to copy.
    static func cotangent(_ tensor: Tensor?, like shape: Shape, _ dtype: DType) throws -> Tensor {
        try tensor?.copied() ?? Tensor.zeros(shape, dtype: dtype)
    }
}
