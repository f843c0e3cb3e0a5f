import RondoTensor

extension Experiment {
    /// Times the schedules in one sitting: after one warm-up, the median of five each.
    static func scheduleSpeed(_ trial: inout Trial) throws {
        let (batch, time) = (16, 1024)
        var times: [[String]] = []
        var tiles: [[String]] = []
        for (heads, width) in [(48, 16), (12, 64), (3, 256), (1, 768)] {
            let name = "\(heads) x \(width)"
            try trial.progress("\(name): forward")
            let layer = try RandomRecurrence(.lstm, heads: heads, width: width, batch: batch, time: time, &trial.generator)
            let chosen = try RecurrentTiles.choose(for: layer.shape, on: .current)
            let forward = try Stopwatch.medians(of: [
                { _ = try layer.outputs(mode: .reference) }, { _ = try layer.outputs(schedule: .alternating) },
                { _ = try layer.outputs() }, { _ = try layer.outputs(tiles: chosen) },
            ])
            try trial.progress("\(name): forward and backward")
            let both = try Stopwatch.medians(of: [
                { _ = try layer.run(schedule: .alternating) },
                { _ = try layer.run() }, { _ = try layer.run(tiles: chosen) },
            ])
            let products = Double(8 * batch * time * heads * width * width)
            let matrix = Double(16 * heads * width * width)
            times.append(
                [name] + forward.prefix(3).map { Figure.text($0 * 1e3) }
                    + [forward[0] / forward[2], forward[1] / forward[2]].map(Figure.text)
                    + both.prefix(2).map { Figure.text($0 * 1e3) } + [both[0] / both[1]].map(Figure.text)
                    + [products / forward[2] * 1e-9, matrix * Double(time) / 1e6, matrix / 1e6].map(Figure.text))
            if let chosen {
                tiles.append(
                    [name, "\(chosen.rows)", "\(chosen.heads)"]
                        + [forward[2], forward[3], both[1], both[2]].map { Figure.text($0 * 1e3) })
            }
            let best = min(forward[1], forward[2])
            if width <= 64 {
                trial.check("\(name): time of fused as a share of alternating", forward[2] / forward[1], .atMost(1))
            } else {
                trial.show("\(name): time of fused as a share of alternating", forward[2] / forward[1])
            }
            if width == 16 {
                trial.check("\(name): best schedule, times as fast as naive", forward[0] / best, .atLeast(5))
            } else {
                trial.show("\(name): best schedule, times as fast as naive", forward[0] / best)
            }
        }
        trial.table(
            "LSTM, batch \(batch), \(time) positions, float32, \(Runtime.threadCount) threads; medians of five, in ms",
            [
                "heads", "naive", "alternating", "fused", "naive / fused", "alternating / fused",
                "alternating with backward", "fused with backward", "their ratio", "GFLOP/s, fused",
                "MB of R, alternating", "MB of R, fused",
            ], times)
        trial.table(
            "Tiles that the constraint solver chooses, and the time with the built-in rule and with them, in ms",
            ["heads", "rows", "heads together", "forward, rule", "forward, solver", "both, rule", "both, solver"], tiles)
    }
}
