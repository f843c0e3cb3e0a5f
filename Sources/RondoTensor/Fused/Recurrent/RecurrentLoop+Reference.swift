extension RecurrentLoop {
    /// The equations, position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let all = try operands(inputs)
        let extents = Self.extents(all)
        let rows = try all.projection.reshaped([extents.time, extents.batch, -1])
        var states = all.states
        var outputs = [Tensor?](repeating: nil, count: extents.time)
        // A reversed row starts at its own last position, so the state must not move before that.
        for t in reverse ? Array((0..<extents.time).reversed()) : Array(0..<extents.time) {
            var x = try rows.selecting(0, t)
            if let bias = all.bias { x = try x + bias }
            var next = try advance(x, states, all)
            for (index, zoneout) in all.zoneout.enumerated() {
                let keep = try zoneout.selecting(0, zoneout.shape[0] == 1 ? 0 : t)
                next[index] = try keep * states[index] + (1 - keep) * next[index]
            }
            guard let lengths else {
                states = next
                outputs[t] = next[0]
                continue
            }
            let active = try Tensor(lengths.map { t < Int($0) ? 1.0 : 0 }, shape: [extents.batch, 1]).cast(to: x.dtype)
            states = try zip(next, states).map { try Tensor.select(active, $0, $1) }
            outputs[t] = try Tensor.select(active, next[0], Tensor.zeros([], dtype: x.dtype))
        }
        let steps = outputs.compactMap { $0 }
        let output =
            try steps.isEmpty
            ? Tensor.zeros([extents.time, extents.batch, extents.units], dtype: all.projection.dtype)
            : Tensor.stack(steps)
        return [output] + states
    }

    /// The states after one position.
    private func advance(_ x: Tensor, _ states: [Tensor], _ all: Operands) throws -> [Tensor] {
        let hidden = states[0]
        let input = try all.mask.map { try hidden * $0 } ?? hidden
        let matrices = try (0..<all.recurrent.shape[0]).map { try all.recurrent.selecting(0, $0) }
        let gates = try x.split(cell.inputGates.count, axis: 1)
        let extras =
            try all.extras.map { extras in try (0..<extras.shape[0]).map { try extras.selecting(0, $0) } } ?? []
        switch cell {
        case .elmanTanh: return [try (gates[0] + times(matrices[0], input)).tanh()]
        case .elmanReLU: return [try (gates[0] + times(matrices[0], input)).relu()]
        case .leaky:
            let drive = try gates[0] + times(matrices[0], input)
            return [try rectified(hidden + extras[0] * (drive - hidden), slope: extras[1])]
        case .leakyOutside:
            let drive = try gates[0] + times(matrices[0], input)
            return [try hidden + extras[0] * (rectified(drive, slope: extras[1]) - hidden)]
        case .elmanSigmoid: return [try (gates[0] + times(matrices[0], input)).sigmoid()]
        case .elmanIdentity: return [try gates[0] + times(matrices[0], input)]
        case .lstmNoForget, .lstm1997:
            return try additive(zip(gates, matrices).map { try $0 + times($1, input) }, states[1])
        case .gru:
            let g = try times(matrices[0], input) + extras[0]
            let r = try (gates[0] + times(matrices[1], input)).sigmoid()
            let z = try (gates[1] + times(matrices[2], input)).sigmoid()
            return [try mix(z, hidden, (gates[2] + r * g).tanh())]
        case .gruResetBefore:
            let r = try (gates[0] + times(matrices[0], input)).sigmoid()
            let z = try (gates[1] + times(matrices[1], input)).sigmoid()
            return [try mix(z, hidden, (gates[2] + times(matrices[2], r * input)).tanh())]
        case .lstm, .lstmPeephole, .lstmLayerNorm, .slstm:
            var products = try matrices.map { try times($0, input) }
            if cell == .lstmLayerNorm {
                products = try zip(products, extras).map { try normalized($0, all.recurrent.shape[1]) * $1 }
            }
            let sums = try zip(gates, products).map { try $0 + $1 }
            return try cell == .slstm ? slstm(sums, states) : lstm(sums, states[1], extras, all.recurrent.shape[1])
        }
    }

    private func lstm(_ sums: [Tensor], _ before: Tensor, _ extras: [Tensor], _ heads: Int) throws -> [Tensor] {
        let peephole = cell == .lstmPeephole
        let i = try (peephole ? sums[0] + extras[0] * before : sums[0]).sigmoid()
        let f = try (peephole ? sums[1] + extras[1] * before : sums[1]).sigmoid()
        let c = try f * before + i * sums[2].tanh()
        let o = try (peephole ? sums[3] + extras[2] * c : sums[3]).sigmoid()
        guard cell == .lstmLayerNorm else { return [try o * c.tanh(), c] }
        return [try o * (normalized(c, heads) * extras[4] + extras[5]).tanh(), c]
    }

    /// The LSTM without a forget gate.
    private func additive(_ sums: [Tensor], _ before: Tensor) throws -> [Tensor] {
        let original = cell == .lstm1997
        let z = try original ? sums[1].sigmoid() * 4 - 2 : sums[1].tanh()
        let c = try before + sums[0].sigmoid() * z
        return [try sums[2].sigmoid() * (original ? c.sigmoid() * 2 - 1 : c.tanh()), c]
    }

    private func slstm(_ sums: [Tensor], _ states: [Tensor]) throws -> [Tensor] {
        let (c, n, m) = (states[1], states[2], states[3])
        let decay = try m + sums[1].logSigmoid()
        let fresh = try n.equal(to: Tensor.zeros([], dtype: n.dtype))
        let larger = try Tensor.select(sums[0].greaterOrEqual(to: decay), sums[0], decay)
        let newM = try Tensor.select(fresh, sums[0], larger)
        let i = try (sums[0] - newM).exp()
        let f = try (decay - newM).clamped(-.infinity, 80).exp()
        let newC = try f * c + i * sums[2].tanh()
        let sum = try f * n + i
        let one = try Tensor.ones([], dtype: n.dtype)
        let newN = try Tensor.select(sum.greaterOrEqual(to: one), sum, one)
        return [try sums[3].sigmoid() * (newC / newN), newC, newN, newM]
    }

    /// a where it is above 0, else slope ⊙ a.
    private func rectified(_ a: Tensor, slope: Tensor) throws -> Tensor {
        try Tensor.select(a.greater(than: Tensor.zeros([], dtype: a.dtype)), a, slope * a)
    }

    /// z a + (1 - z) b.
    private func mix(_ z: Tensor, _ a: Tensor, _ b: Tensor) throws -> Tensor { try z * a + (1 - z) * b }

    /// Each head's block of a matrix `[heads, D, D]` times its part of the rows of h.
    private func times(_ matrix: Tensor, _ h: Tensor) throws -> Tensor {
        let (batch, heads) = (h.shape[0], matrix.shape[0])
        let parts = try h.reshaped([batch, heads, -1]).transposed(0, 1)
        return try parts.matmul(matrix.transposed()).transposed(0, 1).reshaped(h.shape)
    }

    /// The parts of each head with mean 0 and deviation 1.
    private func normalized(_ x: Tensor, _ heads: Int) throws -> Tensor {
        let parts = try x.reshaped([x.shape[0], heads, -1])
        return try Normalization(.layer).reference([parts])[0].reshaped(x.shape)
    }
}
