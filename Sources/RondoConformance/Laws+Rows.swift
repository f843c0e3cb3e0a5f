import RondoMixers
import RondoTensor

extension Subject {
    /// NaN from a position on leaves what came before as it is with another, finite future.
    func causality(_ findings: inout Findings) throws {
        let time = x.shape[1]
        for cut in [1, 4, time - 1] {
            let past = try x.sliced(1, 0..<cut)
            func outputs(_ future: Tensor) throws -> Tensor {
                try chunk(Tensor.concatenate([past, future], axis: 1), from: begun).0.sliced(1, 0..<cut).contiguous()
            }
            let future = try x.sliced(1, cut..<time)
            let poisoned = try outputs(Tensor.full(future.shape, .nan, dtype: dtype))
            try findings.compareBits(poisoned, outputs(future * -1.5), "positions before \(cut)")
            try findings.compare(poisoned, outputs(future), length: length, "positions before \(cut)")
        }
    }

    /// NaN in one row, and another order of the rows.
    func rows(_ findings: inout Findings) throws {
        let (whole, final) = try chunk(x, from: begun)
        let poison = try Tensor.full([1] + x.shape.dropFirst(), .nan, dtype: dtype)
        let sick = try Tensor.concatenate([poison, x.sliced(0, 1..<3)])
        let (outputs, after) = try chunk(sick, from: begun)
        try findings.compare(outputs.sliced(0, 1..<3), whole.sliced(0, 1..<3), length: length, "rows beside a NaN row")
        try findings.compare(
            after.selectingRows([1, 2]), final.selectingRows([1, 2]), length: length, "rows beside a NaN row")
        let order = [2, 0, 1]
        let indices = try Tensor(order.map { Int32($0) })
        let (permuted, finalPermuted) = try chunk(x.takingRows(indices), from: begun.selectingRows(order))
        try findings.compare(permuted, whole.takingRows(indices), length: length, "rows in another order")
        try findings.compare(finalPermuted, final.selectingRows(order), length: length, "rows in another order")
        let (alone, _) = try chunk(x.sliced(0, 1..<2), from: begun.selectingRows([1]))
        try findings.compare(alone, whole.sliced(0, 1..<2), length: length, "a row alone")
    }

    /// Rows that hold several documents, the first of which goes on with the state.
    func documents(_ findings: inout Findings) throws {
        let starts = [[5, 11], [], [0, 5, 18]]
        var state = begun
        let packed = try mixer(SequenceBatch(x, documentStarts: starts), state: &state)
        for row in 0..<Self.batch {
            let own = try x.sliced(0, row..<row + 1)
            var pieces: [Tensor] = []
            var current = try begun.selectingRows([row])
            let cuts = [0] + starts[row].filter { $0 > 0 } + [x.shape[1]]
            for (start, end) in zip(cuts, cuts.dropFirst()) {
                if starts[row].contains(start) { current = try mixer.initialState(batch: 1) }
                pieces.append(try mixer.chunk(own.sliced(1, start..<end), state: &current))
            }
            let expected = try Tensor.concatenate(pieces, axis: 1)
            try findings.compare(packed.sliced(0, row..<row + 1), expected, length: length, "row \(row)")
            try findings.compare(state.selectingRows([row]), current, length: length, "row \(row)")
        }
    }

    /// Rows that begin late and end early; what stands in the padding is NaN.
    func padding(_ findings: inout Findings) throws {
        let ranges = [0..<12, 6..<x.shape[1], 3..<3]
        let filler = try Tensor.full([1, 1, x.shape[2]], .nan, dtype: dtype)
        let filled = try (0..<Self.batch).map { row in
            let own = try x.sliced(0, row..<row + 1)
            let before = try filler.broadcast(to: [1, ranges[row].lowerBound, x.shape[2]])
            let after = try filler.broadcast(to: [1, x.shape[1] - ranges[row].upperBound, x.shape[2]])
            return try Tensor.concatenate([before, own.sliced(1, ranges[row]), after], axis: 1)
        }
        var state = begun
        let padded = try mixer(SequenceBatch(Tensor.concatenate(filled), validRanges: ranges), state: &state)
        for row in 0..<Self.batch {
            let own = try x.sliced(0, row..<row + 1).sliced(1, ranges[row])
            let (expected, after) = try chunk(own, from: begun.selectingRows([row]))
            let found = try padded.sliced(0, row..<row + 1)
            try findings.compare(found.sliced(1, ranges[row]), expected, length: length, "row \(row)")
            try findings.compare(state.selectingRows([row]), after, length: length, "row \(row)")
            for outside in [0..<ranges[row].lowerBound, ranges[row].upperBound..<x.shape[1]] where !outside.isEmpty {
                let largest = try found.sliced(1, outside).abs().max().scalar()
                findings.require(largest == 0, "row \(row): padding has outputs up to \(largest)")
            }
        }
    }
}
