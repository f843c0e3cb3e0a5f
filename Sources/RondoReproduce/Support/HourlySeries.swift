import RondoIO
import RondoTensor

/// Several series of one value an hour, scaled by mean and deviation of their first part, for forecasting.
struct HourlySeries {
    /// Where they are from.
    let source: String
    /// `[hour][series]`.
    let rows: [[Float]]
    /// Hours of 12, 4 and 4 months of 30 days.
    let training = 0..<8640
    let validation = 8640..<11_520
    let test = 11_520..<14_400

    /// The number of series.
    var width: Int { rows.first?.count ?? 0 }

    init(source: String, rows: [[Double]]) throws {
        guard rows.count >= 14_400, let width = rows.first?.count, rows.allSatisfy({ $0.count == width }) else {
            throw RondoError(.corruptFile, "\(source): needs at least 14,400 rows of equally many numbers")
        }
        self.source = source
        let part = rows[training]
        let means = (0..<width).map { column in part.reduce(0) { $0 + $1[column] } / Double(part.count) }
        let deviations = (0..<width).map { column in
            let squares = part.reduce(0) { $0 + ($1[column] - means[column]) * ($1[column] - means[column]) }
            return max((squares / Double(part.count)).squareRoot(), 1e-9)
        }
        self.rows = rows.map { row in
            row.indices.map { Float((row[$0] - means[$0]) / deviations[$0]) }
        }
    }

    /// Reads a file whose first line is a heading and whose first column a date, as ETTh1.csv.
    init(csv path: String) throws {
        let lines = try FileSystem.readText(path).split(whereSeparator: \.isNewline).dropFirst()
        let rows = try lines.map { line in
            try line.split(separator: ",").dropFirst().map { cell in
                guard let number = Double(cell) else {
                    throw RondoError(.corruptFile, "\(path): '\(cell)' is no number")
                }
                return number
            }
        }
        try self.init(source: path, rows: rows)
    }

    /// Makes up seven series of days, weeks and slow drifts with noise.
    static func madeUp(using generator: inout Generator) throws -> HourlySeries {
        let width = 7
        let phases = (0..<3 * width).map { _ in Double.random(in: 0..<6.28, using: &generator) }
        let noise = try generator.normal([14_400, width], dtype: .float64).array(of: Double.self)
        var drift = Array(repeating: 0.0, count: width)
        let rows = (0..<14_400).map { hour in
            (0..<width).map { series in
                func wave(_ period: Double, _ phase: Int) -> Double {
                    Numerics.sin(2 * .pi * Double(hour) / period + phases[3 * series + phase])
                }
                drift[series] = 0.99 * drift[series] + 0.1 * noise[hour * width + series]
                return wave(24, 0) + 0.5 * wave(168, 1) + 0.3 * wave(12, 2) + drift[series]
            }
        }
        return try HourlySeries(source: "made-up series of days, weeks and drifts", rows: rows)
    }

    /// What is read and what follows, `[count, past, width]` and `[count, future, width]`, each window scaled by the
    /// mean and deviation of its past.
    ///
    /// - Parameters:
    ///   - starts: The first hours of the windows.
    ///   - past: Hours read.
    ///   - future: Hours to forecast.
    /// - Returns: Both, and the deviation by which errors must be multiplied, `[count, 1, width]`.
    /// - Throws: `RondoError` when there is no memory.
    func windows(_ starts: [Int], past: Int, future: Int) throws -> (past: Tensor, future: Tensor, deviation: Tensor) {
        let values = starts.flatMap { rows[$0..<$0 + past + future].joined() }
        let all = try Tensor(values, shape: [starts.count, past + future, width])
        let read = try all.sliced(1, 0..<past)
        let mean = try read.mean([1], keepingAxes: true)
        let deviation = try ((read - mean).square().mean([1], keepingAxes: true) + 1e-5).sqrt()
        let scaled = try (all - mean) / deviation
        return (
            try scaled.sliced(1, 0..<past).contiguous(), try scaled.sliced(1, past..<past + future).contiguous(),
            deviation
        )
    }
}

extension Trial {
    /// ETTh1 of the user's data, else made-up series.
    mutating func hourlySeries() throws -> HourlySeries {
        for name in ["ETTh1.csv", "ett/ETTh1.csv"] {
            guard let path = dataFolder.map({ FileSystem.join($0, name) }), FileSystem.kind(of: path) != nil else {
                continue
            }
            return try HourlySeries(csv: path)
        }
        var draws = Generator(seed: 0, stream: 0x5e)
        return try HourlySeries.madeUp(using: &draws)
    }
}
