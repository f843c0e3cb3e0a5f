internal import CRondoKernels

/// An operand of a scan as its kernels read it: rows of neighbouring channels, one for each position or one for all.
struct ScanOperand: Sendable {
    /// The elements: `[batch, time, channels]` of any strides but the last, or `[channels]`.
    let tensor: Tensor

    /// Copies only what does not have its channels side by side.
    init(_ tensor: Tensor) throws {
        let hasDenseRows = tensor.strides.last == 1 || tensor.shape.last == 1
        self.tensor = try hasDenseRows ? tensor : tensor.dense()
    }

    /// Whether the operand is the same at all positions.
    var isConstant: Bool { tensor.rank == 1 }

    /// Elements from one position to the next.
    var time: Int { isConstant ? 0 : tensor.strides[1] }

    /// The address of a sequence's first element.
    func bytes(_ row: Int) -> UnsafeRawPointer {
        tensor.bytes + (isConstant ? 0 : row * tensor.strides[0] * tensor.dtype.byteCount)
    }
}

/// The extents of a scan, and how its work is cut.
struct ScanExtents: Sendable {
    let batch: Int
    let time: Int
    let channels: Int
    let dtype: DType

    /// The extents of a tensor `[batch, time, channels]`.
    init(_ sequence: Tensor) {
        (batch, time, channels) = (sequence.shape[0], sequence.shape[1], sequence.shape[2])
        dtype = sequence.dtype
    }

    /// The shape of all states.
    var sequenceShape: Shape { [batch, time, channels] }

    /// Whether all states together are too large for the caches of a few cores.
    var isLarge: Bool { batch * time * channels * dtype.byteCount >= 4 << 20 }

    /// The address of a sequence in a dense tensor `[batch, time, width]`.
    func sequence(_ tensor: Tensor, _ row: Int, width: Int) -> UnsafeMutableRawPointer {
        tensor.mutableBytes + row * time * width * dtype.byteCount
    }

    /// The address of a sequence in a dense tensor `[batch, time, channels]`.
    func sequence(_ tensor: Tensor, _ row: Int) -> UnsafeMutableRawPointer { sequence(tensor, row, width: channels) }

    /// The address of a sequence's row in a dense tensor `[batch, channels]`.
    func state(_ tensor: Tensor, _ row: Int) -> UnsafeMutableRawPointer {
        tensor.mutableBytes + row * channels * dtype.byteCount
    }

    /// The address of what a sequence adds to the gradient of an operand: all positions, or one row if constant.
    func gradient(_ tensor: Tensor?, of operand: ScanOperand, _ row: Int) -> UnsafeMutableRawPointer? {
        tensor.map { operand.isConstant ? state($0, row) : sequence($0, row) }
    }

    /// Memory for the gradient of an operand, if wanted; that of a constant is yet to be summed over the batch.
    func gradientMemory(of operand: ScanOperand, wanted: Bool) throws -> Tensor? {
        guard wanted else { return nil }
        return try Tensor.uninitialized(operand.isConstant ? [batch, channels] : sequenceShape, dtype)
    }

    /// A copy of the state after the last position, so that who keeps it does not keep all states.
    func final(_ states: Tensor, initial: Tensor) throws -> Tensor {
        try time == 0 ? initial : states.selecting(1, time - 1).copied()
    }

    /// The gradient of the final state in memory of its own, where the backward scan leaves that of the initial state.
    func carry(_ cotangent: Tensor?) throws -> Tensor {
        try cotangent?.copied() ?? Tensor.zeros([batch, channels], dtype: dtype)
    }

    /// Runs `body(row, channels)` for all channels of all sequences, side by side; blocks are multiples of `group`.
    ///
    /// Wide blocks read memory in order; narrow ones (two cache lines at least, which processors fetch in pairs) give a
    /// small batch work for more cores.
    func forEachBlock(group: Int = 1, _ body: (Int, Range<Int>) -> Void) {
        var block = 1024 / dtype.byteCount
        while block * dtype.byteCount > 128, batch * ((channels + block - 1) / block) < 8 { block /= 2 }
        block = (block + group - 1) / group * group
        let blocks = (channels + block - 1) / block
        let grain = max(1, 16_384 / max(1, time * min(block, channels)))
        parallelFor(batch * blocks, grain: grain) { pieces in
            for piece in pieces {
                let (row, part) = piece.quotientAndRemainder(dividingBy: blocks)
                body(row, part * block..<min(channels, (part + 1) * block))
            }
        }
    }
}

extension FusedOperation {
    /// Runs `step(t, states)` over the positions: all states `[batch, time, channels]`, then the final ones.
    func scanned(
        _ shape: Shape, from initial: [Tensor], _ step: (Int, [Tensor]) throws -> [Tensor]
    ) throws -> [Tensor] {
        var states = initial
        var steps = initial.map { _ in [Tensor]() }
        for t in 0..<shape[1] {
            states = try step(t, states)
            for (index, state) in states.enumerated() { steps[index].append(state) }
        }
        let all = try zip(steps, initial).map { steps, initial in
            try steps.isEmpty ? Tensor.zeros(shape, dtype: initial.dtype) : Tensor.stack(steps, axis: 1)
        }
        return all + states
    }
}

extension Tensor {
    /// The row of channels at a position of `[batch, time, channels]`, or the only row `[channels]`.
    func scanRow(_ t: Int) throws -> Tensor { try rank == 1 ? self : selecting(1, t) }
}
