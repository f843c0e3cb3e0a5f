import RondoTensor

/// Independent systems of one input and M outputs with dense real dynamics, made discrete:
/// s = A s⁻ + b u and y = C s for each of G channels with N states.
///
/// A sequence is cut into blocks of Q positions, as ``DiagonalSystem`` does: a convolution with the first Q taps inside,
/// and the response to the state at the block's begin. Time grows as T G M (Q + N) besides the G N³ log Q of the powers.
struct DenseSystem {
    /// `[G, N, N]`.
    var matrix: Tensor
    /// `[G, N]`.
    var input: Tensor
    /// `[G, M, N]`.
    var readout: Tensor

    private var outputs: Int { readout.shape[1] }

    /// Positions of a full block: within it convolutions are sums, not Fourier transforms, so that no future value
    /// touches the past.
    private static func block(_ time: Int) -> Int {
        var length = 2
        while length < time, length < DiagonalSystem.block { length *= 2 }
        return length
    }

    /// Reads a sequence.
    ///
    /// - Parameters:
    ///   - u: `[batch, time, G]`.
    ///   - state: `[batch, G, N]`; becomes the one after.
    /// - Returns: `[batch, time, G, M]`.
    /// - Throws: `RondoError` when shapes do not fit.
    func callAsFunction(_ u: Tensor, state: inout Tensor) throws -> Tensor {
        let (batch, time) = (u.shape[0], u.shape[1])
        guard time > 0 else { return try Tensor.zeros([batch, 0, u.shape[2], outputs], dtype: u.dtype) }
        guard time > 1 else { return try step(u.selecting(1, 0), state: &state).expanded(at: 1) }
        let tables = try Tables(self, length: Self.block(time))
        let (full, rest) = (time / tables.length, time % tables.length)
        var pieces: [Tensor] = []
        var current = try state.permuted([1, 0, 2])
        if full > 0 {
            pieces.append(try blocks(u.sliced(1, 0..<full * tables.length), tables, tables.length, state: &current))
        }
        if rest > 0 {
            pieces.append(try blocks(u.sliced(1, full * tables.length..<time), tables, rest, state: &current))
        }
        state = try current.permuted([1, 0, 2]).contiguous()
        return try pieces.count == 1 ? pieces[0] : Tensor.concatenate(pieces, axis: 1)
    }

    /// One position, `[batch, G]` to `[batch, G, M]`.
    func step(_ u: Tensor, state: inout Tensor) throws -> Tensor {
        let before = try state.permuted([1, 0, 2])
        let entered = try u.transposed().expanded(at: 2) * input.expanded(at: 1)
        let after = try before.matmul(matrix.transposed()) + entered
        state = try after.permuted([1, 0, 2]).contiguous()
        return try after.matmul(readout.transposed()).permuted([1, 0, 2])
    }

    /// A number of whole blocks of `length` positions; the state is `[G, batch, N]`.
    private func blocks(_ u: Tensor, _ tables: Tables, _ length: Int, state: inout Tensor) throws -> Tensor {
        let (batch, count, width) = (u.shape[0], u.shape[1] / length, u.shape[2])
        let size = input.shape[1]
        let own = try u.reshaped([batch * count, length, width])
        let added = try own.permuted([2, 0, 1]).matmul(tables.entering(length)).reshaped([width, batch, count, size])
        var starts: [Tensor] = []
        for index in 0..<count {
            starts.append(state)
            state = try tables.advance(state, by: length) + added.selecting(2, index)
        }
        let begin = try Tensor.stack(starts, axis: 2).reshaped([width, batch * count, size])
        let shape: Shape = [width, batch * count, length, outputs]
        let response = try begin.matmul(tables.leaving.sliced(1, 0..<length * outputs).transposed()).reshaped(shape)
            .permuted([1, 2, 0, 3])
        let repeated = try own.expanded(at: 3).broadcast(to: own.shape + [outputs])
            .reshaped([batch * count, length, width * outputs])
        let inner = try LongConvolution()([repeated, tables.kernel.sliced(1, 0..<length)])[0]
        return try (inner.reshaped(own.shape + [outputs]) + response).reshaped(u.shape + [outputs])
    }

    /// What a block needs, made by doubling.
    private struct Tables {
        /// Q, a power of 2.
        let length: Int
        /// Transposes of A, A², A⁴, …, up to the Q-th power.
        let squares: [Tensor]
        /// A to Q - 1, …, 1, 0 times b, `[G, Q, N]`.
        let inputs: Tensor
        /// C A, …, C A^Q, `[G, Q M, N]`.
        let leaving: Tensor
        /// The first Q taps, `[G M, Q]`.
        let kernel: Tensor

        init(_ system: DenseSystem, length: Int) throws {
            self.length = length
            var squares = [try system.matrix.transposed().contiguous()]
            var descending = try system.input.expanded(at: 1)
            var ascending = try system.readout.matmul(system.matrix)
            while descending.shape[1] < length {
                let last = squares[squares.count - 1]
                descending = try Tensor.concatenate([descending.matmul(last), descending], axis: 1)
                ascending = try Tensor.concatenate([ascending, ascending.matmul(last.transposed())], axis: 1)
                squares.append(try last.matmul(last))
            }
            (self.squares, inputs, leaving) = (squares, descending, ascending)
            let (width, outputs) = (system.readout.shape[0], system.readout.shape[1])
            let rows = try Tensor.concatenate(
                [system.readout, ascending.sliced(1, 0..<(length - 1) * outputs)], axis: 1)
            kernel = try rows.matmul(system.input.expanded(at: 2)).reshaped([width, length, outputs]).permuted([
                0, 2, 1,
            ])
            .reshaped([width * outputs, length])
        }

        /// The weights of a block's inputs in the state at its end, `[G, count, N]`.
        func entering(_ count: Int) throws -> Tensor { try inputs.sliced(1, length - count..<length) }

        /// States `[G, batch, N]` so many positions later without inputs.
        func advance(_ state: Tensor, by count: Int) throws -> Tensor {
            try squares.indices.reduce(state) { result, index in
                count & (1 << index) == 0 ? result : try result.matmul(squares[index])
            }
        }
    }
}
