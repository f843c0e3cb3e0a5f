internal import CRondoKernels

/// A linear recurrence of small blocks, s_t = J_t s_{t-1} + x_t, computed in pieces of time side by side.
///
/// Every channel has a state of k numbers (1 to 4) of its own. Inputs: J `[batch, time, k, k, channels]`, x
/// `[batch, time, k, channels]` and the state before, `[batch, k, channels]`. Outputs: all states
/// `[batch, time, k, channels]` and the last one `[batch, k, channels]`. It is the linear step of Newton's method on a
/// nonlinear recurrence (Danieli et al., "ParaRNN", 2025), see ``NewtonRecurrence``.
public struct BlockLinearRecurrence: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "blockLinearRecurrence"

    /// Positions of one piece.
    ///
    /// The pieces are joined by a recurrence over their ends, so their number does not matter.
    static let chunk = 256

    /// Creates the operation.
    public init() {}

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 3, case let x = inputs[1].shape, x.count == 4, (1...4).contains(x[2]),
            inputs[0].shape == [x[0], x[1], x[2], x[2], x[3]], inputs[2].shape == [x[0], x[2], x[3]],
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "\(Self.name): needs matrices [batch, time, k, k, channels] with k from 1 to 4, x [batch, time, k, channels] and a state [batch, k, channels] of one type; got \(inputs.map(\.shape))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// Position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        var state = inputs[2]
        var states: [Tensor] = []
        for t in 0..<inputs[1].shape[1] {
            state =
                try (inputs[0].selecting(1, t) * state.expanded(at: 1)).sum([2]) + inputs[1].selecting(1, t)
            states.append(state)
        }
        return [states.isEmpty ? inputs[1] : try Tensor.stack(states, axis: 1), state]
    }

    /// Pieces of time from a zero state, their ends in order, and the pieces again from their true states.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let (jacobian, x, initial) = (try inputs[0].dense(), try inputs[1].dense(), try inputs[2].dense())
        let states = try Self.solve(jacobian, x, initial: initial, reversed: false)
        let time = x.shape[1]
        let final = try time > 0 ? states.selecting(1, time - 1).contiguous() : initial
        return FusedResult(outputs: [states, final], saved: [jacobian, initial, states], retained: [])
    }

    /// The same recurrence backwards, λ_t = g_t + J_{t+1}ᵀ λ_{t+1}: then dx = λ and dJ_t = λ_t s_{t-1}ᵀ.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let (jacobian, initial, states) = (context.saved[0], context.saved[1], context.saved[2])
        let time = states.shape[1]
        guard time > 0 else {
            return [
                try Tensor.zeros(jacobian.shape, dtype: states.dtype),
                try Tensor.zeros(states.shape, dtype: states.dtype), cotangents[1],
            ]
        }
        var g = try cotangents[0] ?? Tensor.zeros(states.shape, dtype: states.dtype)
        if let final = cotangents[1] { g = try g + final.expanded(at: 1).padded(1, before: time - 1, after: 0) }
        let lambda = try Self.solve(jacobian, g.dense(), initial: nil, reversed: true)
        let previous = try Tensor.concatenate([initial.expanded(at: 1), states.sliced(1, 0..<time - 1)], axis: 1)
        let first = try Self.transposedProduct(jacobian.selecting(1, 0), lambda.selecting(1, 0))
        return [try lambda.expanded(at: 3) * previous.expanded(at: 2), lambda, first]
    }

    /// Jᵀ λ of one position: `[batch, k, k, channels]` times `[batch, k, channels]`.
    static func transposedProduct(_ jacobian: Tensor, _ lambda: Tensor) throws -> Tensor {
        try (jacobian * lambda.expanded(at: 2)).sum([1])
    }

    /// All states of the recurrence, forwards or (with the next position's transposed matrix) backwards.
    ///
    /// - Parameters:
    ///   - jacobian: J, dense.
    ///   - x: what is added, dense.
    ///   - initial: the state before the first position in the order of time; `nil`: zero.
    ///   - reversed: from the last position to the first, s_t = J_{t+1}ᵀ s_{t+1} + x_t.
    /// - Returns: the states, shaped as `x`.
    /// - Throws: ``RondoError`` when memory runs out.
    static func solve(_ jacobian: Tensor, _ x: Tensor, initial: Tensor?, reversed: Bool) throws -> Tensor {
        let plan = try Plan(jacobian, x, initial, reversed)
        defer { withExtendedLifetime((jacobian, x, initial)) {} }
        let first = plan.chunks > 1 ? plan.chunks - 1 : 1
        let (batch, k, channels) = (plan.batch, plan.k, plan.channels)
        let ends = try Tensor.uninitialized([batch, first, k, channels], x.dtype)
        let products = try Tensor.uninitialized([batch, first, k, k, channels], x.dtype)
        let row = k * channels * plan.size
        ElementwiseRecurrence.forEachBlock(batch * first, channels, time: plan.time) { piece, low, high in
            let (b, part) = piece.quotientAndRemainder(dividingBy: first)
            plan.run(
                b, part, (low, high), initial: part == 0 ? plan.initial(b) : nil, keepsStates: part == 0,
                end: ends.mutableBytes + piece * row,
                product: part == 0 ? nil : products.mutableBytes + piece * row * k)
        }
        guard plan.chunks > 1 else { return plan.states }
        // The states at the ends of the pieces follow a recurrence with the pieces' products for matrices.
        let carries = try Tensor.uninitialized(ends.shape, x.dtype)
        ElementwiseRecurrence.forEachBlock(batch, channels, time: plan.time) { b, low, high in
            rk_linear_recurrence_blocks(
                plan.type, k, false, false, first, channels, low, high, products.bytes + b * first * row * k,
                ends.bytes + b * first * row, nil, carries.mutableBytes + b * first * row, nil, nil)
        }
        ElementwiseRecurrence.forEachBlock(batch * first, channels, time: plan.time) { piece, low, high in
            let (b, part) = piece.quotientAndRemainder(dividingBy: first)
            plan.run(
                b, part + 1, (low, high), initial: carries.bytes + piece * row, keepsStates: true, end: nil,
                product: nil)
        }
        withExtendedLifetime((ends, products, carries)) {}
        return plan.states
    }

    /// The pieces of one recurrence, counted in the order of computation.
    private struct Plan {
        let type: rk_type
        let (batch, time, k, channels, size, chunks): (Int, Int, Int, Int, Int, Int)
        let jacobian: Tensor
        let x: Tensor
        let start: Tensor?
        let states: Tensor
        let reversed: Bool

        init(_ jacobian: Tensor, _ x: Tensor, _ initial: Tensor?, _ reversed: Bool) throws {
            type = try x.dtype.kernelType(BlockLinearRecurrence.name)
            (batch, time, k, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
            (size, self.jacobian, self.x, start, self.reversed) = (x.dtype.byteCount, jacobian, x, initial, reversed)
            states = try Tensor.uninitialized(x.shape, x.dtype)
            // Time is cut only where sequences and channels alone do not keep a machine busy: it costs a second pass.
            let blocks = batch * ((channels + ElementwiseRecurrence.block - 1) / ElementwiseRecurrence.block)
            chunks = blocks >= 16 ? 1 : max(1, (time + BlockLinearRecurrence.chunk - 1) / BlockLinearRecurrence.chunk)
        }

        func initial(_ b: Int) -> UnsafeRawPointer? { start.map { $0.bytes + b * k * channels * size } }

        /// Computes a piece of some channels.
        func run(
            _ b: Int, _ part: Int, _ range: (Int, Int), initial: UnsafeRawPointer?, keepsStates: Bool,
            end: UnsafeMutableRawPointer?, product: UnsafeMutableRawPointer?
        ) {
            let index = reversed ? chunks - 1 - part : part
            let length = chunks == 1 ? time : BlockLinearRecurrence.chunk
            let from = index * length
            let row = k * channels * size
            let position = b * time + from
            rk_linear_recurrence_blocks(
                type, k, reversed, reversed, min(length, time - from), channels, range.0, range.1,
                jacobian.bytes + (position + (reversed ? 1 : 0)) * row * k, x.bytes + position * row, initial,
                keepsStates ? states.mutableBytes + position * row : nil, end, product)
        }
    }
}
