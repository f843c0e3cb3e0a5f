internal import CRondoKernels

extension RecurrentLoop {
    /// The time loop in C, keeping what its backward pass needs.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let buffers = try LoopBuffers(self, inputs.map { try $0.withDenseRows() })
        let final = try buffers.all.states.map { try Tensor.uninitialized($0.shape, $0.dtype) }
        try buffers.withLayer(backward: false) { layer in
            withPointers(buffers.all.states.map { UnsafeRawPointer?($0.bytes) }) { initial in
                withPointers(final.map { UnsafeMutableRawPointer?($0.mutableBytes) }) { final in
                    rk_recurrent_forward(&layer, initial, final)
                }
            }
        }
        let saved = keepsIntermediates ? buffers.kept : []
        return FusedResult(outputs: [try buffers.output()] + final, saved: saved, retained: .inputs)
    }

    /// The reverse loop for everything that is recurrent, then one product for the gradient of R.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard !context.saved.isEmpty else {
            throw RondoError(.invalidArgument, "recurrentLoop: ran without keepsIntermediates, so it has no derivative")
        }
        let buffers = try LoopBuffers(self, context.inputs.map { try $0.withDenseRows() }, kept: context.saved)
        let (all, extents, shape) = (buffers.all, buffers.extents, buffers.shape)
        let dtype = all.projection.dtype
        let output = try cotangents[0]?.withDenseRows()
        let states = try zip(all.states, cotangents.dropFirst()).map { state, cotangent in
            try cotangent?.copied() ?? Tensor.zeros(state.shape, dtype: dtype)
        }
        let gates = try Tensor.uninitialized(
            [extents.time * extents.batch, Int(shape.columns) * extents.units], dtype)
        let extras = try all.extras.map { try Tensor.uninitialized($0.shape, dtype) }
        let bias = try all.bias.map { try Tensor.uninitialized($0.shape, dtype) }
        try buffers.withLayer(backward: true) { layer in
            withPointers(states.map { UnsafeMutableRawPointer?($0.mutableBytes) }) { states in
                rk_recurrent_backward(
                    &layer, output?.bytes, Int64(output?.strides[0] ?? 0), Int64(output?.strides[1] ?? 0), states,
                    gates.mutableBytes, bias?.mutableBytes, extras?.mutableBytes)
            }
        }
        let first = Int(shape.projection_column) * extents.units
        let projection = try gates.sliced(1, first..<first + Int(shape.projection) * extents.units)
        let recurrent = context.wanted[1] ? try buffers.recurrentGradient(gates) : nil
        let optional: [Tensor?] =
            (layout.extras ? [extras] : []) + (layout.bias ? [bias] : []) + (layout.mask ? [nil] : [])
        return [projection, recurrent] + states + optional + Array(repeating: nil, count: layout.zoneout)
    }
}

/// The memory around one call of the time loop.
private struct LoopBuffers {
    let loop: RecurrentLoop
    let all: RecurrentLoop.Operands
    let extents: RecurrentLoop.Extents
    let shape: rk_cell_shape
    /// Every state over time; then, if there, mask ⊙ h over time; then the saved gates.
    private let states: [Tensor]
    private let masked: Tensor?
    private let saved: Tensor?

    init(_ loop: RecurrentLoop, _ inputs: [Tensor], kept: [Tensor] = []) throws {
        self.loop = loop
        all = try loop.operands(inputs)
        extents = RecurrentLoop.extents(all)
        shape = rk_cell_info(loop.cell.kernel)
        let count = Int(shape.states)
        let (time, batch, units, dtype) = (extents.time, extents.batch, extents.units, all.projection.dtype)
        guard kept.isEmpty else {
            states = Array(kept.prefix(count))
            saved = kept.last
            masked = all.mask == nil ? nil : kept[count]
            return
        }
        let keeps = loop.keepsIntermediates
        states = try (0..<count).map {
            try Tensor.uninitialized([$0 == 0 || keeps ? time + 1 : 1, batch, units], dtype)
        }
        masked = try all.mask.map { _ in try Tensor.uninitialized([time + 1, batch, units], dtype) }
        saved = try keeps ? Tensor.uninitialized([time, batch, Int(shape.saved) * units], dtype) : nil
    }

    /// What the backward pass reads, in the order that `init` takes.
    var kept: [Tensor] { states + [masked, saved].compactMap { $0 } }

    /// Calls `body` with the C description of this layer, its workspace allocated.
    func withLayer(backward: Bool, _ body: (inout rk_recurrent) -> Void) throws {
        var layer = rk_recurrent()
        layer.type = try all.projection.dtype.kernelType(RecurrentLoop.name)
        layer.cell = loop.cell.kernel
        layer.schedule = loop.schedule == .fused ? RK_FUSED : RK_ALTERNATING
        if let tiles = loop.tiles {
            (layer.tile_rows, layer.heads_together) = (Int64(max(0, tiles.rows)), Int64(max(0, tiles.heads)))
        }
        layer.reverse = loop.reverse
        (layer.time, layer.batch) = (Int64(extents.time), Int64(extents.batch))
        (layer.heads, layer.width) = (Int64(extents.heads), Int64(extents.width))
        layer.projection = all.projection.bytes
        layer.projection_row = Int64(all.projection.strides[0])
        layer.projection_time = layer.projection_row * layer.batch
        layer.recurrent = all.recurrent.bytes
        layer.extras = all.extras?.bytes
        layer.bias = all.bias?.bytes
        layer.mask = all.mask?.bytes
        if let zoneout = all.zoneout.first {
            layer.zoneout = (zoneout.bytes, all.zoneout.count > 1 ? all.zoneout[1].bytes : nil)
            let constant = zoneout.shape[0] != extents.time || zoneout.shape[1] != extents.batch
            layer.zoneout_time = constant ? 0 : Int64(zoneout.strides[0])
            layer.zoneout_row = constant ? 0 : Int64(zoneout.strides[1])
        }
        let pointers = states.map { UnsafeMutableRawPointer?($0.mutableBytes) } + [nil, nil, nil, nil]
        layer.states = (pointers[0], pointers[1], pointers[2], pointers[3])
        layer.inputs = masked?.mutableBytes
        layer.saved = saved?.mutableBytes
        let workspace = try CPUBackend.shared.allocate(byteCount: max(64, rk_recurrent_workspace(&layer, backward)))
        layer.workspace = workspace.pointer
        withExtendedLifetime(workspace) {
            guard let lengths = loop.lengths else { return body(&layer) }
            lengths.withUnsafeBufferPointer { lengths in
                layer.lengths = lengths.baseAddress
                body(&layer)
            }
        }
    }

    /// The hidden states from the first position on, as the caller sees them.
    func output() throws -> Tensor {
        let slots = try states[0].sliced(0, loop.reverse ? 0..<extents.time : 1..<extents.time + 1)
        guard loop.reverse, let lengths = loop.lengths else { return slots }
        // The slot at a row's length holds its initial state, which R multiplies; the output there is zero.
        let output = try slots.copied()
        let row = extents.units * output.dtype.byteCount
        for (index, length) in lengths.enumerated() where Int(length) < extents.time {
            let start = (Int(length) * extents.batch + index) * row
            UnsafeMutableRawBufferPointer(start: output.mutableBytes + start, count: row).initializeMemory(
                as: UInt8.self, repeating: 0)
        }
        return output
    }

    /// What R multiplied at every position, `[time * batch, H]`.
    private func multiplied() throws -> Tensor {
        let slots = masked ?? states[0]
        return try slots.sliced(0, loop.reverse ? 1..<extents.time + 1 : 0..<extents.time).reshaped([-1, extents.units])
    }

    /// The gradient of R from the gate gradients of all positions.
    func recurrentGradient(_ gates: Tensor) throws -> Tensor {
        let count = Int(shape.recurrent)
        let hidden = try multiplied()
        guard loop.cell == .gruResetBefore, let saved else { return try product(gates, 0..<count, hidden) }
        let reset = try saved.reshaped([-1, 4 * extents.units]).sliced(1, 3 * extents.units..<4 * extents.units)
        return try Tensor.concatenate([product(gates, 0..<2, hidden), product(gates, 2..<3, reset)])
    }

    /// Σ over positions of the gradients of some gates times what they read: `[gates, heads, D, D]`.
    private func product(_ gates: Tensor, _ range: Range<Int>, _ hidden: Tensor) throws -> Tensor {
        let (units, heads, width) = (extents.units, extents.heads, extents.width)
        let columns = try gates.sliced(1, range.lowerBound * units..<range.upperBound * units)
        if heads == 1 {
            return try columns.transposed().matmul(hidden).reshaped([range.count, 1, width, width])
        }
        // Blocks of positions that stay in a core's cache while all heads read them: a head alone uses a small part
        // of each row of memory.
        let (positions, block) = (hidden.shape[0], 128)
        let result = try Tensor.zeros([range.count, heads, width, width], dtype: gates.dtype)
        let type = try gates.dtype.kernelType(RecurrentLoop.name)
        let size = gates.dtype.byteCount
        let group = (heads + 7) / 8
        parallelFor(heads, grain: group) { heads in
            for start in stride(from: 0, to: positions, by: block) {
                let count = min(block, positions - start)
                for head in heads {
                    for gate in 0..<range.count {
                        let column = gate * units + head * width
                        rk_gemm(
                            type, true, false, width, width, count, 1,
                            columns.bytes + (start * columns.strides[0] + column) * size, columns.strides[0],
                            hidden.bytes + (start * hidden.strides[0] + head * width) * size, hidden.strides[0], 1,
                            result.mutableBytes + (gate * self.extents.heads + head) * width * width * size, width)
                    }
                }
            }
        }
        return result
    }
}

extension Tensor {
    /// The tensor itself if its last axis is dense and no axis is folded onto itself, else a dense copy.
    fileprivate func withDenseRows() throws -> Tensor {
        let rows = rank > 0 && (strides[rank - 1] == 1 || shape[rank - 1] == 1)
        return rows && rank >= 2 && rank <= 3 && !strides.dropLast().contains(0) ? self : try dense()
    }
}

/// Calls `body` with a C array of four pointers, the rest `nil`.
private func withPointers<Pointer, Result>(
    _ pointers: [Pointer?], _ body: (UnsafePointer<Pointer?>?) -> Result
) -> Result {
    (pointers + Array(repeating: nil, count: 4 - pointers.count)).withUnsafeBufferPointer { body($0.baseAddress) }
}
