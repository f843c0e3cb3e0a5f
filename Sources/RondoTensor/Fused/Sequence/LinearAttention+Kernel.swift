internal import CRondoKernels

extension LinearAttention: CPUFusedOperation {
    /// How the work is cut, by shapes alone: some heads of one group of one sequence, and some columns of V.
    struct Plan {
        /// Heads and columns of one unit.
        var heads: Int
        var columns: Int
        /// Parts of a group's heads, and of the columns.
        var headParts: Int
        var columnParts: Int
        /// Units in all.
        var units: Int
        /// Extents of a padded state.
        var paddedKey: Int
        var paddedColumns: Int

        var parts: Int { headParts * columnParts }

        /// Cuts into at least eight units if the shape gives them.
        ///
        /// Beyond that, heads that share q and k stay together, as they share scores too. A unit has no more columns
        /// than keep a state near.
        init(_ size: Extents) {
            let (wanted, widest, pad) = (8, 128, Int(RK_LINEAR_PAD))
            func ceiling(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
            let perGroup = size.heads / size.groups
            let groups = max(1, size.batch * size.groups)
            heads = ceiling(perGroup, min(perGroup, ceiling(wanted, groups)))
            headParts = ceiling(perGroup, heads)
            let pieces = max(ceiling(size.value, widest), ceiling(wanted, groups * headParts))
            let blocks = ceiling(size.value, pad)
            columns = min(ceiling(blocks, min(blocks, pieces)) * pad, blocks * pad)
            columnParts = ceiling(size.value, columns)
            units = size.batch * size.groups * headParts * columnParts
            paddedKey = ceiling(size.key, pad) * pad
            paddedColumns = columns
        }

        /// Elements of all saved states.
        func savedCount(time: Int) -> Int {
            let segments = (time + Int(RK_LINEAR_SEGMENT) - 1) / Int(RK_LINEAR_SEGMENT)
            return units * (segments + 1) * heads * paddedKey * paddedColumns
        }
    }

    /// The kernel, kept from letting numbers that are not finite into the positions before them.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        try FiniteFuture.guarding(inputs, sequences: [0, 1, 2], logDecay: decay == .none ? nil : 4, compute)
    }

    /// Units of work side by side.
    private func compute(_ inputs: [Tensor]) throws -> FusedResult {
        if inputs[0].shape[1] == 1, !keepsIntermediates { return try computeStep(inputs) }
        let readable = try readable(inputs)
        let all = operands(readable)
        let size = Self.extents(all.q, all.v)
        let plan = Plan(size)
        let output = try Tensor.uninitialized(all.v.shape, all.v.dtype)
        let state = try Tensor.uninitialized(all.state.shape, all.v.dtype)
        let saved =
            try keepsIntermediates
            ? Tensor.uninitialized([plan.savedCount(time: size.time)], all.v.dtype) : nil
        var call = description(all, size, plan)
        call.output = output.mutableBytes
        call.final_state = state.mutableBytes
        call.saved = saved?.mutableBytes
        try run(&call, plan, all.v.dtype) { rk_linear_attention_forward($0, $1, $2, $3, $4) }
        withExtendedLifetime(readable) {}
        return FusedResult(outputs: [output, state], saved: readable + (saved.map { [$0] } ?? []), retained: [])
    }

    /// A single position, in one pass over the state.
    private func computeStep(_ inputs: [Tensor]) throws -> FusedResult {
        let all = operands(inputs)
        var state = all.state.detached()
        let output = try step(
            q: all.q.selecting(1, 0), k: all.k.selecting(1, 0), v: all.v.selecting(1, 0), g: all.g?.selecting(1, 0),
            bonus: all.bonus, state: &state)
        return FusedResult(outputs: [try output.expanded(at: 1), state])
    }

    /// Units that share q, k or u write gradients of their own, summed afterwards.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard keepsIntermediates, let saved = context.saved.last else {
            throw RondoError(
                .invalidArgument, "linearAttention: derivatives need keepsIntermediates; create the operation with it")
        }
        let all = operands(context.saved.dropLast())
        let size = Self.extents(all.q, all.v)
        let plan = Plan(size)
        let type = all.v.dtype
        let cotangents = [
            try cotangents[0]?.withDenseLastAxis(), try cotangents[1]?.dense(),
        ]
        let perPart: Shape = [plan.parts] + all.q.shape
        let (dq, dk) = (try Tensor.uninitialized(perPart, type), try Tensor.uninitialized(perPart, type))
        let dv = try Tensor.uninitialized(all.v.shape, type)
        let dstate = try Tensor.uninitialized(all.state.shape, type)
        let dg = try all.g.map {
            try Tensor.uninitialized([decay == .vector ? plan.parts : plan.columnParts] + $0.shape, type)
        }
        let dbonus = try all.bonus.map {
            try Tensor.uninitialized([size.batch * plan.columnParts] + $0.shape, type)
        }
        var call = description(all, size, plan)
        call.saved = saved.mutableBytes
        call.output_gradient = cotangents[0].map { operand($0) } ?? rk_linear_operand()
        call.final_gradient = cotangents[1]?.bytes
        (call.q_gradient, call.k_gradient) = (dq.mutableBytes, dk.mutableBytes)
        (call.v_gradient, call.state_gradient) = (dv.mutableBytes, dstate.mutableBytes)
        (call.g_gradient, call.bonus_gradient) = (dg?.mutableBytes, dbonus?.mutableBytes)
        try run(&call, plan, type) { rk_linear_attention_backward($0, $1, $2, $3, $4) }
        withExtendedLifetime((context, cotangents)) {}
        let gradients = [dq, dk, dv, dstate] + [dg, dbonus].compactMap { $0 }
        return try gradients.enumerated().map { index, gradient in
            index == 2 || index == 3 ? gradient : try gradient.summedOverParts()
        }
    }

    /// Operands as the kernels read them: the state and u dense, of the others the rows.
    private func readable(_ inputs: [Tensor]) throws -> [Tensor] {
        try inputs.enumerated().map { index, input in
            let rows = index < 3 || (index == 4 && decay == .vector)
            if rows { return try input.withDenseLastAxis() }
            return index == 4 && decay == .scalar ? input.detached() : try input.dense()
        }
    }

    private func operand(_ x: Tensor) -> rk_linear_operand {
        rk_linear_operand(data: x.bytes, sequence: x.strides[0], time: x.strides[1], head: x.strides[2])
    }

    private func description(_ all: Operands, _ size: Extents, _ plan: Plan) -> rk_linear_attention {
        var call = rk_linear_attention()
        call.decay = decay == .none ? RK_DECAY_NONE : decay == .scalar ? RK_DECAY_SCALAR : RK_DECAY_VECTOR
        (call.sequences, call.time, call.groups, call.heads) = (size.batch, size.time, size.groups, size.heads)
        (call.key, call.value) = (size.key, size.value)
        (call.unit_heads, call.unit_columns) = (plan.heads, plan.columns)
        (call.q, call.k, call.v) = (operand(all.q), operand(all.k), operand(all.v))
        call.g = all.g.map { operand($0) } ?? rk_linear_operand()
        call.bonus = all.bonus?.bytes
        call.state = all.state.bytes
        return call
    }

    private func run(
        _ call: inout rk_linear_attention, _ plan: Plan, _ dtype: DType,
        _ kernel: (rk_type, UnsafePointer<rk_linear_attention>, Int, Int, Int) -> Void
    ) throws {
        let type = try dtype.kernelType(Self.name)
        let groups = call.groups
        withUnsafePointer(to: &call) { call in
            parallelFor(plan.units) { unit in
                let (pair, part) = unit.quotientAndRemainder(dividingBy: plan.parts)
                let (sequence, group) = pair.quotientAndRemainder(dividingBy: groups)
                kernel(type, call, sequence, group, part)
            }
        }
    }
}

extension Tensor {
    /// The tensor itself, cut off from derivatives, if the elements of its last axis lie one after the other.
    fileprivate func withDenseLastAxis() throws -> Tensor {
        strides[rank - 1] == 1 || shape[rank - 1] == 1 ? detached() : try dense()
    }

    /// The sum over the first axis, without work if there is one part only.
    fileprivate func summedOverParts() throws -> Tensor {
        shape[0] == 1 ? try reshaped(Shape(shape.dropFirst())) : try sum([0])
    }
}
