internal import CRondoKernels

extension DeltaRule {
    /// Columns of the values that one unit of work computes: large states are computed as products, which like width.
    private func columns(_ all: Operands) -> Int { all.keys < 128 ? 64 : 128 }

    /// The kernel, kept from letting numbers that are not finite into the positions before them.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let (sequences, logDecay) = form == .delta ? ([0, 1, 2, 3], inputs.count > 5 ? 5 : nil) : ([0, 1, 2, 3, 4], 5)
        return try FiniteFuture.guarding(inputs, sequences: sequences, logDecay: logDecay, compute)
    }

    /// Rows, heads and blocks of columns of the values side by side.
    private func compute(_ inputs: [Tensor]) throws -> FusedResult {
        let dense = try inputs.map { try $0.dense() }
        let all = operands(dense)
        let dtype = all.q.dtype
        let type = try dtype.kernelType(Self.name)
        let output = try Tensor.uninitialized(all.v.shape, dtype)
        let state = try all.state.copied()
        var kept: [Tensor] = []
        if keepsIntermediates {
            let chunk = Int(RK_DELTA_RULE_CHUNK)
            let chunks = (all.time + chunk - 1) / chunk
            kept = [
                try Tensor.uninitialized([all.batch, all.heads, all.time, all.values], dtype),
                try Tensor.uninitialized([all.batch, all.heads, chunks, all.values, all.keys], dtype),
            ]
        }
        let columns = columns(all)
        let blocks = (all.values + columns - 1) / columns
        parallelFor(all.batch * all.heads * blocks, work: 4 * all.time * all.keys * columns) { index in
            let (unit, block) = index.quotientAndRemainder(dividingBy: blocks)
            var rule = description(all, unit, kept)
            rule.o = pointer(output, unit, all)
            rule.state = state.mutableBytes + unit * all.keys * all.values * dtype.byteCount
            let first = block * columns
            rk_delta_rule_forward(type, &rule, first, min(columns, all.values - first))
        }
        return FusedResult(outputs: [output, state], saved: keepsIntermediates ? dense + kept : [], retained: [])
    }

    /// Rows and heads side by side, chunks from the last to the first.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard context.saved.count > 2 else {
            throw RondoError(.invalidArgument, "deltaRule: ran without keepsIntermediates, so it has no derivative")
        }
        let inputs = Array(context.saved.dropLast(2))
        let kept = Array(context.saved.suffix(2))
        let all = operands(inputs)
        let dtype = all.q.dtype
        let type = try dtype.kernelType(Self.name)
        let output = try cotangents[0]?.dense()
        var gradients = try inputs.map { try Tensor.uninitialized($0.shape, dtype) }
        let statePosition = form == .delta ? 4 : 6
        gradients[statePosition] = try cotangents[1]?.copied() ?? Tensor.zeros(all.state.shape, dtype: dtype)
        let results = operands(gradients)
        parallelFor(all.batch * all.heads) { unit in
            var rule = description(all, unit, kept)
            func result(_ tensor: Tensor?) -> UnsafeMutableRawPointer? { tensor.map { pointer($0, unit, all) } }
            var gradient = rk_delta_rule_gradient(
                o: UnsafeRawPointer(result(output)),
                state: results.state.mutableBytes + unit * all.keys * all.values * dtype.byteCount,
                q: result(results.q), k: result(results.k), v: result(results.v), g: result(results.g),
                beta: result(results.beta), a: result(results.a), b: result(results.b))
            rk_delta_rule_backward(type, &rule, &gradient)
        }
        return gradients
    }

    /// The kernel's view of a row and head; outputs are to be filled in.
    private func description(_ all: Operands, _ unit: Int, _ kept: [Tensor]) -> rk_delta_rule {
        func operand(_ tensor: Tensor?) -> UnsafeRawPointer? { tensor.map { UnsafeRawPointer(pointer($0, unit, all)) } }
        var rule = rk_delta_rule()
        rule.general = form == .general
        (rule.time, rule.heads, rule.keys, rule.values) = (all.time, all.heads, all.keys, all.values)
        (rule.q, rule.k, rule.v) = (operand(all.q), operand(all.k), operand(all.v))
        (rule.g, rule.beta, rule.a, rule.b) = (operand(all.g), operand(all.beta), operand(all.a), operand(all.b))
        if !kept.isEmpty {
            func part(_ tensor: Tensor) -> UnsafeMutableRawPointer {
                tensor.mutableBytes + unit * tensor.shape[2...].reduce(1, *) * tensor.dtype.byteCount
            }
            (rule.reads, rule.states) = (part(kept[0]), part(kept[1]))
        }
        return rule
    }

    /// Where a row and head begins in a tensor `[batch, time, heads, ...]`.
    private func pointer(_ tensor: Tensor, _ unit: Int, _ all: Operands) -> UnsafeMutableRawPointer {
        let (row, head) = unit.quotientAndRemainder(dividingBy: all.heads)
        let width = tensor.rank == 4 ? tensor.shape[3] : 1
        return tensor.mutableBytes + (row * all.time * all.heads + head) * width * tensor.dtype.byteCount
    }
}

extension DeltaRule {
    /// One position of ``Form/delta``, the state changing in place where nobody else holds it.
    ///
    /// No derivative flows.
    ///
    /// - Parameters:
    ///   - q: the query, `[batch, H, K]`.
    ///   - k: the key, like q.
    ///   - v: the value, `[batch, H, V]`.
    ///   - beta: how much of the old value is replaced, `[batch, H]`.
    ///   - logDecay: g, like beta; `nil`: no decay.
    ///   - state: S, `[batch, H, K, V]`.
    /// - Returns: o, `[batch, H, V]`.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public static func deltaStep(
        q: Tensor, k: Tensor, v: Tensor, beta: Tensor, logDecay: Tensor? = nil, state: inout Tensor
    ) throws -> Tensor {
        let operands = Operands(
            q: try position(q), k: try position(k), v: try position(v), beta: try position(beta),
            g: try logDecay.map(position), state: .empty)
        return try step(.delta, operands, &state)
    }

    /// One position of ``Form/general``, the state changing in place where nobody else holds it.
    ///
    /// No derivative flows.
    ///
    /// - Parameters:
    ///   - q: the query, `[batch, H, K]`.
    ///   - k: the key, like q.
    ///   - v: the value, `[batch, H, V]`.
    ///   - a: where what b reads is written, like q.
    ///   - b: what is read from the state before, like q.
    ///   - logDecay: g, like q.
    ///   - state: S, `[batch, H, K, V]`.
    /// - Returns: o, `[batch, H, V]`.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public static func generalStep(
        q: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor, logDecay: Tensor, state: inout Tensor
    ) throws -> Tensor {
        let operands = Operands(
            q: try position(q), k: try position(k), v: try position(v), a: try position(a), b: try position(b),
            g: try position(logDecay), state: .empty)
        return try step(.general, operands, &state)
    }

    /// A sequence of one position.
    private static func position(_ tensor: Tensor) throws -> Tensor {
        guard tensor.rank >= 2 else {
            throw RondoError(
                .shapeMismatch, "deltaRule: a step needs operands [batch, heads, ...]; got \(tensor.shape)")
        }
        return try tensor.detached().dense().expanded(at: 1)
    }

    // The operands but for the state.
    private static func step(_ form: Form, _ operands: Operands, _ state: inout Tensor) throws -> Tensor {
        let operation = DeltaRule(form, keepsIntermediates: false)
        var all = operands
        all.state = state
        try operation.validate(all)
        // One owner, or the state could not change in place.
        all.state = .empty
        try state.mutateInPlace { _ in }
        all.state = state.detached()
        let output = try Tensor.uninitialized(all.v.shape, all.v.dtype)
        let type = try output.dtype.kernelType(name)
        let work = Position(operation: operation, all: all, output: output, type: type)
        work.run(pieces: work.pieces)
        return try output.squeezed(1)
    }

    /// One position into the memory of the operands' state.
    private struct Position: ParallelWork {
        let operation: DeltaRule
        let all: Operands
        let output: Tensor
        let type: rk_type

        private var stateBytes: Int { all.keys * all.values * output.dtype.byteCount }
        private var count: Int { all.batch * all.heads }
        /// States that one thread advances before waking another pays.
        private var grain: Int { max(1, (1 << 16) / max(1, stateBytes)) }

        var pieces: Int { (count + grain - 1) / grain }

        func compute(_ piece: Int) {
            for index in piece * grain..<min(count, (piece + 1) * grain) {
                var rule = operation.description(all, index, [])
                rule.o = operation.pointer(output, index, all)
                rule.state = all.state.mutableBytes + index * stateBytes
                rk_delta_rule_forward(type, &rule, 0, all.values)
            }
        }
    }
}
