import RondoTensor

/// A layer of diagonal cells as the library of ParaRNN makes it, with random inputs: two heads, 6 inputs, zero states.
struct DiagonalLayer {
    private let cell: DiagonalCellLoop.Cell
    /// x, B `[inputs, 3 W]` with zeros outside its blocks, b, A and, for the LSTM, C.
    private let leaves: [Tensor]
    private let mask: Tensor

    /// Draws the layer.
    ///
    /// - Parameters:
    ///   - cell: The cell.
    ///   - batch: The number of sequences.
    ///   - time: Their length.
    ///   - width: Channels, an even number.
    ///   - dtype: The type of all numbers.
    ///   - deviation: Of A and C; that of the library, 2/√(5 W), if `nil`.
    ///   - generator: Draws everything.
    /// - Throws: `RondoError` if memory runs out.
    init(
        _ cell: DiagonalCellLoop.Cell, batch: Int, time: Int, width: Int = 14, _ dtype: DType, deviation: Double? = nil,
        _ generator: inout Generator
    ) throws {
        let (inputs, heads) = (6, 2)
        self.cell = cell
        let (fanIn, fanOut) = (inputs / heads, cell == .gru ? width : width / heads)
        let bound = (6 / Double(fanIn + fanOut)).squareRoot()
        let weights = try generator.uniform([inputs, 3 * width], low: -bound, high: bound, dtype: dtype)
        let half = try Tensor.ones([inputs / heads, width / heads], dtype: dtype)
        let block = try Tensor.concatenate([
            half.padded(1, before: 0, after: width / 2), half.padded(1, before: width / 2, after: 0),
        ])
        mask = try Tensor.concatenate([block, block, block], axis: 1)
        let spread = try Tensor.range(width, dtype: dtype) * (-1 / Double(width - 1))
        let deviation = deviation ?? 2 / Double(5 * width).squareRoot()
        let x = try generator.normal([batch, time, inputs], dtype: dtype)
        let offsets = try spread.padded(0, before: 0, after: 2 * width).reshaped([3, width])
        let recurrent = try generator.normal([3, width], deviation: deviation, dtype: dtype)
        let peepholes = try generator.normal([2, width], deviation: deviation, dtype: dtype)
        leaves = [x, try weights * mask, offsets, recurrent] + (cell == .lstm ? [peepholes] : [])
    }

    /// What the cells read: gates, A, C and zero states.
    func projected() throws -> [Tensor] { try Self.projected(leaves, mask, cell) }

    private static func projected(
        _ leaves: [Tensor], _ mask: Tensor, _ cell: DiagonalCellLoop.Cell
    ) throws -> [Tensor] {
        let (x, width) = (leaves[0], leaves[2].shape[1])
        let gates = try x.reshaped([-1, x.shape[2]]).matmul(leaves[1] * mask)
            .reshaped([x.shape[0], x.shape[1], 3, width])
        let zeros = try Tensor.zeros([x.shape[0], width], dtype: x.dtype)
        return [try gates + leaves[2]] + leaves.dropFirst(3) + (0..<cell.stateCount).map { _ in zeros }
    }

    /// All outputs, and the derivatives of the sum of their squares by inputs and parameters.
    func run(_ newton: NewtonRecurrence?) throws -> (outputs: Tensor, gradients: [Tensor]) {
        let (values, pullback) = try valuesAndPullback(of: leaves) { tracked in
            [try DiagonalCellLoop(cell, newton: newton)(Self.projected(tracked, mask, cell))[0]]
        }
        return (values[0], try pullback([values[0] * 2]))
    }

    /// All outputs, from a guess of all states.
    func solved(_ newton: NewtonRecurrence, guess: Tensor) throws -> Tensor {
        try DiagonalCellLoop(cell).solved(projected(), by: newton, guess: guess).outputs[0]
    }
}
