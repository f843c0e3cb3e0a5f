internal import CRondoKernels

/// y = x Wᵀ + b on the processor, with W `[outputs, inputs]` read as it lies, in the type in which it is stored.
///
/// Few rows stream W through the processor once and are bound by memory, so that smaller types are faster; many rows
/// are a matrix product, before which stored types become float32 part by part.
struct WeightProduct {
    /// So many rows of x stream W; more are multiplied as matrices.
    static let fewRows = 16
    /// The same for types that would have to be expanded first.
    static let fewRowsOfStored = 48
    /// Multiplications that are done on the calling thread, because calling another takes as long.
    private static let smallWork = 1 << 15
    /// Elements of W that are expanded at a time.
    private static let panelElements = 1 << 21

    let weight: Tensor
    let bias: Tensor?

    private var inputs: Int { weight.shape[1] }
    private var outputs: Int { weight.shape[0] }

    /// Prepares W `[outputs, inputs]` and b `[outputs]`, whose shapes and types have been checked.
    init(weight: Tensor, bias: Tensor?) throws {
        self.weight = weight.detached()
        self.bias = try bias?.detached().dense()
    }

    /// Writes the products of the rows of `x`, `[rows, inputs]`, as `[rows, outputs]`.
    func callAsFunction(_ x: Tensor, into target: UnsafeMutableRawPointer) throws {
        let rows = x.shape[0]
        guard rows * outputs > 0 else { return }
        let isStored = weight.dtype != x.dtype
        let x = try x.detached().dense()
        defer { withExtendedLifetime(x) {} }
        if weight.isContiguous, rows <= (isStored ? Self.fewRowsOfStored : Self.fewRows) || inputs == 0 {
            try stream(x, into: target)
        } else {
            try isStored ? expand(x, into: target) : multiply(x, weight, at: 0, into: target)
            addBias(to: target, rows: rows, try x.dtype.kernelType("linear"))
        }
    }

    private func stream(_ x: Tensor, into target: UnsafeMutableRawPointer) throws {
        let type = try x.dtype.kernelType("linear")
        let row = rk_row_bytes(weight.dtype.storageKind, inputs)
        let isSmall = x.shape[0] * inputs * outputs < Self.smallWork
        let pieces = ShrinkingPieces(count: outputs, bytes: row, threads: isSmall ? 1 : Runtime.threadCount)
        let work = Streaming(
            type: type, kind: weight.dtype.storageKind, rows: x.shape[0], inputs: inputs, outputs: outputs,
            pieces: pieces, weight: weight.bytes, row: row, bias: bias?.bytes, size: x.dtype.byteCount,
            source: x.bytes, target: target)
        work.run(pieces: pieces.number)
    }

    /// A product whose weight is streamed through the processor.
    private struct Streaming: ParallelWork {
        let type: rk_type
        let kind: rk_storage
        let rows: Int
        let inputs: Int
        let outputs: Int
        let pieces: ShrinkingPieces
        let weight: UnsafeRawPointer
        /// Bytes of a row of the weight.
        let row: Int
        let bias: UnsafeRawPointer?
        /// Bytes of an element of the source and the target.
        let size: Int
        let source: UnsafeRawPointer
        let target: UnsafeMutableRawPointer

        func compute(_ piece: Int) {
            let start = pieces.start(piece)
            rk_linear(
                type, kind, rows, inputs, pieces.start(piece + 1) - start, source, inputs, weight + start * row,
                bias.map { $0 + start * size }, target + start * size, outputs)
        }
    }

    /// Rows of a matrix shared by threads in pieces that become smaller.
    ///
    /// Half of the rows come first, one piece for each thread, then half of the rest, and so on. Long pieces are long
    /// streams of memory, and with short ones at the end all threads are done at the same time.
    private struct ShrinkingPieces {
        /// Bytes that are not cut any further.
        private static let shortest = 1 << 15

        private let count: Int
        private let threads: Int
        private let halvings: Int

        init(count: Int, bytes: Int, threads: Int) {
            (self.count, self.threads) = (count, threads)
            var halvings = 0
            while threads > 1, count * bytes >> (halvings + 1) >= threads * Self.shortest { halvings += 1 }
            self.halvings = halvings
        }

        var number: Int { (halvings + 1) * threads }

        /// The first row of a piece; of the one after the last, the number of rows.
        func start(_ piece: Int) -> Int {
            let (halving, place) = piece.quotientAndRemainder(dividingBy: threads)
            guard halving <= halvings else { return count }
            let rest = count >> halving
            let shared = halving < halvings ? rest - rest / 2 : rest
            // Tiles of four rows.
            return (count - rest + shared * place / threads) / 4 * 4
        }
    }

    /// Columns `at...` of the result, for some rows of W of the type of x.
    private func multiply(_ x: Tensor, _ part: Tensor, at: Int, into target: UnsafeMutableRawPointer) throws {
        let columns = try part.withDenseRows().transposed()
        defer { withExtendedLifetime(columns) {} }
        try Gemm.multiply(
            x.lastTwoAxes(0), columns.lastTwoAxes(0), into: target + at * x.dtype.byteCount, x.dtype,
            (x.shape[0], part.shape[0], inputs), leading: outputs)
    }

    /// W becomes float32 in panels that are multiplied one after the other.
    private func expand(_ x: Tensor, into target: UnsafeMutableRawPointer) throws {
        let weight = try weight.dense()
        let panel = max(64, Self.panelElements / max(1, inputs))
        for start in stride(from: 0, to: outputs, by: panel) {
            let part = try weight.sliced(0, start..<min(outputs, start + panel)).cast(to: x.dtype)
            try multiply(x, part, at: start, into: target)
        }
    }

    private func addBias(to target: UnsafeMutableRawPointer, rows: Int, _ type: rk_type) {
        guard let bias else { return }
        let row = outputs * bias.dtype.byteCount
        parallelFor(rows, grain: max(1, CPUBackend.elementwiseGrain / max(1, outputs))) { range in
            for index in range { rk_axpy(type, 1, bias.bytes, target + index * row, outputs) }
        }
    }
}

extension Tensor {
    /// A matrix one of whose axes has stride 1: `self`, or a dense copy.
    fileprivate func withDenseRows() throws -> Tensor {
        let isRowMajor = strides[1] == 1 && strides[0] >= shape[1]
        let isColumnMajor = strides[0] == 1 && strides[1] >= shape[0]
        return isRowMajor || isColumnMajor ? self : try copied()
    }
}
