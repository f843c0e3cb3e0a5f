import RondoTensor

extension Experiment {
    /// Times the schedules in one sitting: after one warm-up, medians of measurements in turns.
    static func scheduleSpeed(_ trial: inout Trial) throws {
        let (batch, time) = (16, 1024)
        var times: [[String]] = []
        var tiles: [[String]] = []
        for (heads, width) in [(48, 16), (12, 64), (3, 256), (1, 768)] {
            let name = "\(heads) x \(width)"
            try trial.progress(name)
            let layer = try RandomRecurrence(
                .lstm, heads: heads, width: width, batch: batch, time: time, &trial.generator)
            let measured = try ScheduleTimes(layer)
            let products = Double(8 * batch * time * heads * width * width)
            let matrix = Double(16 * heads * width * width)
            times.append(
                [name] + measured.milliseconds
                    + [products / measured.fused * 1e-9, matrix * Double(time) / 1e6, matrix / 1e6].map(Figure.text))
            if let chosen = measured.tiles {
                tiles.append([name, "\(chosen.rows)", "\(chosen.heads)"] + measured.tileMilliseconds)
            }
            let share = measured.fused / measured.alternating
            trial.check("\(name): time of fused as a share of alternating", share, width <= 64 ? .atMost(1) : .none)
            let gain = measured.naive / min(measured.fused, measured.alternating)
            trial.check("\(name): best schedule, times as fast as naive", gain, width == 16 ? .atLeast(5) : .none)
        }
        trial.table(
            "LSTM, batch \(batch), \(time) positions, float32, \(Runtime.threadCount) threads; medians in ms",
            [
                "heads", "naive", "alternating", "fused", "alternating and backward", "fused and backward",
                "GFLOP/s, fused", "MB of R, alternating", "MB of R, fused",
            ], times)
        trial.table(
            "Tiles of the constraint solver and of the rule in the kernel; medians in ms",
            ["heads", "rows", "heads together", "rule", "solver", "rule and backward", "solver and backward"], tiles)
        trial.note(
            "Five measurements forward, three with backward, in turns. Results are the same bits whatever the schedule "
                + "and the tiles.")
    }
}

/// The median seconds of the ways to run a layer.
private struct ScheduleTimes {
    let tiles: RecurrentTiles?
    private let forward: [Double]
    private let both: [Double]

    init(_ layer: RandomRecurrence) throws {
        let tiles = try RecurrentTiles.choose(for: layer.shape, on: .current)
        self.tiles = tiles
        forward = try Stopwatch.medians(of: [
            { _ = try layer.forward(mode: .reference) }, { _ = try layer.forward(schedule: .alternating) },
            { _ = try layer.forward() }, { _ = try layer.forward(tiles: tiles) },
        ])
        let backward: [() throws -> Void] = [
            { _ = try layer.run(schedule: .alternating) }, { _ = try layer.run() }, { _ = try layer.run(tiles: tiles) },
        ]
        both = try Stopwatch.medians(of: backward, count: 3)
    }

    var naive: Double { forward[0] }
    var alternating: Double { forward[1] }
    var fused: Double { forward[2] }
    var milliseconds: [String] { (forward.prefix(3) + both.prefix(2)).map { Figure.text($0 * 1e3) } }
    var tileMilliseconds: [String] { [forward[2], forward[3], both[1], both[2]].map { Figure.text($0 * 1e3) } }
}
