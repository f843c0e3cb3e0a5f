internal import CRondoKernels

extension CausalAttention {
    /// Whether the present is so short that keys and values are best read once, without a packed copy of all of them.
    private static func isStep(time: Int, prefix: Int) -> Bool { time <= 4 || time <= 64 && prefix >= 4 * time }

    /// Keeps the logarithms of the softmax sums for the derivative.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let call = try AttentionCall(self, inputs)
        let (q, v, dtype) = (inputs[0], inputs[2], inputs[0].dtype)
        let output = try Tensor.uninitialized([q.shape[0], q.shape[1], q.shape[2], v.shape[3]], dtype)
        let logarithms = try Tensor.uninitialized([q.shape[0], q.shape[2], q.shape[1]], dtype)
        if output.count > 0 {
            if Self.isStep(time: q.shape[1], prefix: v.shape[1] - q.shape[1]) {
                try call.step(output, logarithms)
            } else {
                try call.forward(output, logarithms)
            }
        }
        return FusedResult(outputs: [output], saved: [logarithms])
    }

    /// Recomputes the weights block by block.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0] else { return [nil, nil, nil] }
        let gradients = try context.inputs.map {
            try $0.count > 0 && context.outputs[0].count > 0
                ? Tensor.uninitialized($0.shape, $0.dtype) : Tensor.zeros($0.shape, dtype: $0.dtype)
        }
        if context.outputs[0].count > 0 {
            let call = try AttentionCall(self, context.inputs)
            try call.backward(
                cotangent: cotangent.withDenseElements(), output: context.outputs[0], logarithms: context.saved[0],
                gradients)
        }
        return gradients
    }
}

/// One call: its operands, and how the kernels cut the work.
///
/// Work is cut by shape alone and every sum has one order, so bits do not depend on the number of threads.
private struct AttentionCall {
    /// Units that keep any reasonable number of cores busy.
    private static let units = 16

    private let operands: [Tensor]
    private let type: rk_type
    private let attention: rk_attention
    private let layout: rk_attention_layout

    init(_ operation: CausalAttention, _ inputs: [Tensor]) throws {
        operands = try inputs.map { try $0.withDenseElements() }
        let type = try inputs[0].dtype.kernelType(CausalAttention.name)
        let (q, k, v) = (operands[0], operands[1], operands[2])
        let attention = rk_attention(
            batch: Int64(q.shape[0]), time: Int64(q.shape[1]), keys: Int64(k.shape[1]), heads: Int64(q.shape[2]),
            groups: Int64(k.shape[2]), width: Int64(q.shape[3]), value_width: Int64(v.shape[3]),
            window: Int64(min(operation.window ?? k.shape[1], k.shape[1])), valid_from: Int64(operation.validFrom),
            scale: operation.scale, q: q.attentionOperand, k: k.attentionOperand, v: v.attentionOperand)
        var layout = rk_attention_layout()
        withUnsafePointer(to: attention) { rk_attention_plan(type, $0, &layout) }
        (self.type, self.attention, self.layout) = (type, attention, layout)
    }

    private var batch: Int { Int(attention.batch) }
    private var heads: Int { Int(attention.heads) }
    private var groups: Int { Int(attention.groups) }
    private var time: Int { Int(attention.time) }

    /// Blocks of queries side by side, over keys and values that are packed once for all of them.
    func forward(_ output: Tensor, _ logarithms: Tensor) throws {
        let (first, bytes, block) = (layout.first_block, Int(layout.block_bytes), Int(layout.query_block))
        let blocks = Int(layout.blocks - first)
        let packed = try CPUBackend.shared.allocate(byteCount: batch * groups * blocks * bytes)
        defer { withExtendedLifetime((operands, packed)) {} }
        withUnsafePointer(to: attention) { attention in
            parallelFor(batch * groups * blocks) { unit in
                let (matrix, index) = unit.quotientAndRemainder(dividingBy: blocks)
                let (row, group) = matrix.quotientAndRemainder(dividingBy: groups)
                rk_attention_pack(
                    type, attention, Int64(row), Int64(group), first + Int64(index), packed.pointer + unit * bytes)
            }
            let queryBlocks = (time + block - 1) / block
            parallelFor(batch * heads * queryBlocks) { unit in
                // The last queries see most: they begin, so that the threads end together.
                let (index, matrix) = unit.quotientAndRemainder(dividingBy: batch * heads)
                let (row, head) = matrix.quotientAndRemainder(dividingBy: heads)
                let group = head / (heads / groups)
                rk_attention_forward(
                    type, attention, Int64(row), Int64(head), Int64((queryBlocks - 1 - index) * block),
                    packed.pointer + (row * groups + group) * blocks * bytes, output.mutableBytes,
                    logarithms.mutableBytes)
            }
        }
    }

    /// Few queries: segments of the keys side by side, joined in order.
    func step(_ output: Tensor, _ logarithms: Tensor) throws {
        let (length, bytes) = (Int(layout.segment_keys), Int(layout.segment_bytes))
        let first = Int(layout.first_key)
        let segments = (Int(attention.keys) - first + length - 1) / length
        let partial = try CPUBackend.shared.allocate(byteCount: batch * segments * bytes)
        defer { withExtendedLifetime((operands, partial)) {} }
        withUnsafePointer(to: attention) { attention in
            parallelFor(batch * segments) { unit in
                let (row, segment) = unit.quotientAndRemainder(dividingBy: segments)
                rk_attention_step(
                    type, attention, Int64(row), Int64(first + segment * length), partial.pointer + unit * bytes)
            }
            for row in 0..<batch {
                rk_attention_join(
                    type, attention, Int64(row), Int64(segments), partial.pointer + row * segments * bytes,
                    output.mutableBytes, logarithms.mutableBytes)
            }
        }
    }

    /// Keys of a group belong to one unit of work; where there are few groups, each is dealt to several units, whose
    /// shares of dq are added in order.
    func backward(cotangent: Tensor, output: Tensor, logarithms: Tensor, _ gradients: [Tensor]) throws {
        let size = output.dtype.byteCount
        let (width, valueWidth) = (Int(layout.width), Int(layout.value_width))
        let rows = batch * heads * time
        let parts = max(1, min(Int(layout.blocks), (Self.units + batch * groups - 1) / (batch * groups)))
        let queries = try CPUBackend.shared.allocate(byteCount: rows * width * size)
        let slopes = try CPUBackend.shared.allocate(byteCount: rows * valueWidth * size)
        let products = try CPUBackend.shared.allocate(byteCount: rows * size)
        let shares = try CPUBackend.shared.allocate(byteCount: parts * rows * width * size)
        defer {
            withExtendedLifetime((operands, queries, slopes, products)) {}
            withExtendedLifetime((shares, cotangent, output, logarithms)) {}
        }
        var incoming = cotangent.attentionOperand
        withUnsafePointer(to: attention) { attention in
            withUnsafePointer(to: &incoming) { incoming in
                forEachQueryBlock { row, head, first, count in
                    rk_attention_pack_queries(
                        type, attention, row, head, first, count, incoming, output.bytes, queries.pointer,
                        slopes.pointer, products.pointer)
                }
            }
            parallelFor(batch * groups * parts) { unit in
                let (matrix, part) = unit.quotientAndRemainder(dividingBy: parts)
                let (row, group) = matrix.quotientAndRemainder(dividingBy: groups)
                var memory = rk_attention_gradients(
                    queries: queries.pointer, gradients: slopes.pointer, products: products.pointer,
                    logarithms: logarithms.bytes, dq: shares.pointer + part * rows * width * size,
                    dk: gradients[1].mutableBytes, dv: gradients[2].mutableBytes)
                rk_attention_backward(
                    type, attention, Int64(row), Int64(group), Int64(part), Int64(parts), &memory)
            }
            forEachQueryBlock { row, head, first, count in
                rk_attention_sum_queries(
                    type, attention, row, head, first, count, Int64(parts), Int64(rows * width), shares.pointer,
                    gradients[0].mutableBytes)
            }
        }
    }

    /// Calls `body` with row, head, first query and number of queries.
    private func forEachQueryBlock(_ body: (Int64, Int64, Int64, Int64) -> Void) {
        let block = 512
        let blocks = (time + block - 1) / block
        parallelFor(batch * heads * blocks) { unit in
            let (matrix, index) = unit.quotientAndRemainder(dividingBy: blocks)
            let (row, head) = matrix.quotientAndRemainder(dividingBy: heads)
            body(Int64(row), Int64(head), Int64(index * block), Int64(min(block, time - index * block)))
        }
    }
}

extension Tensor {
    /// The tensor itself if the elements of its last axis are neighbours, else a dense copy.
    fileprivate func withDenseElements() throws -> Tensor {
        strides[rank - 1] == 1 || shape[rank - 1] == 1 ? self : try dense()
    }

    /// The kernel's view of `[batch, position, head, element]`.
    fileprivate var attentionOperand: rk_attention_operand {
        rk_attention_operand(
            data: bytes, batch: Int64(strides[0]), position: Int64(strides[1]), head: Int64(strides[2]))
    }
}
