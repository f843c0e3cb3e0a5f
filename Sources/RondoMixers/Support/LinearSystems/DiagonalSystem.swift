import RondoTensor

/// Independent systems of one input and one output with complex diagonal dynamics, made discrete:
/// s = λ ⊙ s⁻ + b u and y = factor · Re(c · s) for each of D channels with n complex states.
///
/// A sequence is cut into blocks of Q positions. Within a block, the output is a convolution with the first Q taps of
/// the kernel plus the response to the state at the block's begin; the states at the begins come from a scan over
/// blocks. Time grows as T D (Q + n), memory as T D (1 + n / Q), and no power of λ beyond the Q-th is formed.
struct DiagonalSystem {
    /// Eigenvalues of one position, `[D, n]`.
    var lambda: ComplexTensor
    /// What enters the states, `[D, n]`.
    var input: ComplexTensor
    /// What is read of the states, `[D, n]`.
    var readout: ComplexTensor
    /// 2 if each state stands for itself and its conjugate, else 1.
    var factor: Double

    /// Positions of a full block: within it convolutions are sums, not Fourier transforms, so that no future value
    /// touches the past.
    static let block = 32

    /// Reads a sequence.
    ///
    /// - Parameters:
    ///   - u: `[batch, time, D]`.
    ///   - state: `[batch, D, n]`; becomes the one after.
    /// - Returns: `[batch, time, D]`.
    /// - Throws: `RondoError` when shapes do not fit.
    func callAsFunction(_ u: Tensor, state: inout ComplexTensor) throws -> Tensor {
        let time = u.shape[1]
        guard time > 0 else { return u }
        guard time > 1 else { return try step(u.selecting(1, 0), state: &state).expanded(at: 1) }
        let tables = try Tables(self, length: min(time, Self.block))
        let (full, rest) = (time / tables.length, time % tables.length)
        let head = try blocks(u.sliced(1, 0..<full * tables.length), tables, tables.length, state: &state)
        guard rest > 0 else { return head }
        let tail = try blocks(u.sliced(1, full * tables.length..<time), tables, rest, state: &state)
        return try Tensor.concatenate([head, tail], axis: 1)
    }

    /// One position, `[batch, D]` to `[batch, D]`.
    func step(_ u: Tensor, state: inout ComplexTensor) throws -> Tensor {
        let u = try u.expanded(at: 2)
        state = try lambda * state + ComplexTensor(input.real * u, input.imaginary * u)
        return try (readout.real * state.real - readout.imaginary * state.imaginary).sum([-1]) * factor
    }

    /// Single positions in place, with the direct path d `[D]`.
    func stepping(skip: Tensor) throws -> DiagonalSpaceStep {
        try DiagonalSpaceStep(lambda: lambda, input: input, readout: readout.mapped { try $0 * factor }, skip: skip)
    }

    /// A number of whole blocks of `length` positions.
    private func blocks(_ u: Tensor, _ tables: Tables, _ length: Int, state: inout ComplexTensor) throws -> Tensor {
        let (batch, count, width) = (u.shape[0], u.shape[1] / length, u.shape[2])
        let size = lambda.shape[1]
        let own = try u.reshaped([batch * count, length, width])
        let byChannel = try own.permuted([2, 0, 1])
        // What each block adds to the state at its end: [D, batch * count, 2 n].
        let added = try byChannel.matmul(tables.entering(length))
        let parts = try added.reshaped([width, batch, count, 2, size]).permuted([3, 1, 2, 0, 4])
        let lead = try tables.power(length)
        let flat: Shape = [batch, count, width * size]
        let scanned = try ComplexDiagonalScan()([
            lead.real.reshaped([-1]), lead.imaginary.reshaped([-1]), parts.selecting(0, 0).reshaped(flat),
            parts.selecting(0, 1).reshaped(flat), state.real.reshaped([batch, -1]),
            state.imaginary.reshaped([batch, -1]),
        ])
        let starts = [
            try Self.starts(scanned[0], from: state.real), try Self.starts(scanned[1], from: state.imaginary),
        ]
        state = ComplexTensor(
            try scanned[2].reshaped([batch, width, size]), try scanned[3].reshaped([batch, width, size]))
        let begin = try Tensor.concatenate(starts, axis: -1).permuted([1, 0, 2])
        let response = try begin.matmul(tables.leaving.sliced(1, 0..<length).transposed()).permuted([1, 2, 0])
        let inner = try LongConvolution()([own, tables.kernel.sliced(1, 0..<length)])[0]
        return try (inner + response).reshaped(u.shape)
    }

    /// The states at the begins of blocks, `[batch * count, D, n]`, from those at their ends.
    private static func starts(_ ends: Tensor, from first: Tensor) throws -> Tensor {
        let (batch, count) = (ends.shape[0], ends.shape[1])
        let shape: Shape = [batch * count, first.shape[1], first.shape[2]]
        guard count > 1 else { return first }
        let earlier = try ends.sliced(1, 0..<count - 1)
        return try Tensor.concatenate([first.reshaped([batch, 1, -1]), earlier], axis: 1).reshaped(shape)
    }

    /// What a block needs, made by doubling: log Q products.
    private struct Tables {
        /// Q.
        let length: Int
        /// λ to Q - 1, …, 1, 0 times b, both parts, `[D, Q, 2 n]`.
        let inputs: Tensor
        /// λ to the powers 1, …, Q, `[D, Q, n]`.
        let powers: ComplexTensor
        /// factor · c λ¹, …, factor · c λ^Q: real parts beside negative imaginary ones, `[D, Q, 2 n]`.
        let leaving: Tensor
        /// The first Q taps, `[D, Q]`.
        let kernel: Tensor

        init(_ system: DiagonalSystem, length: Int) throws {
            self.length = length
            var ascending = try system.lambda.mapped { try $0.expanded(at: 1) }
            var descending = try system.input.mapped { try $0.expanded(at: 1) }
            while ascending.shape[1] < length {
                let count = ascending.shape[1]
                let last = try ascending.mapped { try $0.sliced(1, count - 1..<count) }
                descending = try ComplexTensor.concatenate([descending * last, descending], axis: 1)
                ascending = try ComplexTensor.concatenate([ascending, ascending * last], axis: 1)
            }
            let spare = ascending.shape[1] - length
            powers = try ascending.mapped { try $0.sliced(1, 0..<length) }
            inputs = try Tensor.concatenate([descending.real, descending.imaginary], axis: -1)
                .sliced(1, spare..<spare + length)
            let read = try system.readout.mapped { try $0.expanded(at: 1) * system.factor }
            let product = try read * powers
            leaving = try Tensor.concatenate([product.real, -product.imaginary], axis: -1)
            let entry = try Tensor.concatenate([system.input.real, system.input.imaginary], axis: -1).expanded(at: -1)
            let first = try Tensor.concatenate([read.real, -read.imaginary], axis: -1)
            let rows = try Tensor.concatenate([first, leaving.sliced(1, 0..<length - 1)], axis: 1)
            kernel = try rows.matmul(entry).squeezed(-1)
        }

        /// The weights of a block's inputs in the state at its end, `[D, count, 2 n]`.
        func entering(_ count: Int) throws -> Tensor { try inputs.sliced(1, length - count..<length) }

        /// λ to a power, `[D, n]`.
        func power(_ count: Int) throws -> ComplexTensor { try powers.mapped { try $0.selecting(1, count - 1) } }
    }
}

extension ComplexTensor {
    /// Both parts changed alike.
    func mapped(_ body: (Tensor) throws -> Tensor) throws -> ComplexTensor {
        ComplexTensor(try body(real), try body(imaginary))
    }

    /// Numbers one after the other along an axis.
    static func concatenate(_ values: [ComplexTensor], axis: Int) throws -> ComplexTensor {
        ComplexTensor(
            try Tensor.concatenate(values.map(\.real), axis: axis),
            try Tensor.concatenate(values.map(\.imaginary), axis: axis))
    }

    /// A parameter `[2, ...]` that holds real parts before imaginary ones, or `[1, ...]` of real numbers.
    init(parts: Tensor) throws {
        let real = try parts.selecting(0, 0)
        self.init(
            real, try parts.shape[0] > 1 ? parts.selecting(0, 1) : Tensor.zeros(real.shape, dtype: real.dtype))
    }

    /// e to the power of each number, minus one, without cancellation near zero.
    func expMinusOne() throws -> ComplexTensor {
        // e^a cos b - 1 = (e^a - 1) cos b - 2 sin²(b / 2), and e^a - 1 = tanh(a / 2) (e^a + 1).
        let growth = try real.exp()
        let grown = try (real * 0.5).tanh() * (growth + 1)
        let half = try (imaginary * 0.5).unary(.sin).square()
        return ComplexTensor(try grown * imaginary.unary(.cos) - half * 2, try growth * imaginary.unary(.sin))
    }
}
