import RondoIO
import RondoTensor
import RondoTracking
import RondoTrain

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a recorder must know of a run, whatever it trains.
struct RunDescription {
    /// The whole configuration.
    var configuration: JSONValue
    /// The kind of model.
    var model: String
    var parameterCount: Int
    var seed: UInt64
    /// How many of the latest checkpoints are kept.
    var keepLast: Int
    /// The pictures; the first is the picture of the loss.
    var charts: [Chart]

    /// A picture of some curves of the metrics.
    struct Chart {
        /// What the values are.
        var yLabel: String
        /// Which curves are drawn: name in the legend, name in the metrics, style.
        var curves: [(name: String, key: String, style: LossChart.Series.Style)]
    }
}

/// Writes down what happens in a run: metrics, checkpoints, pictures, and its row in the store.
final class RunRecorder: CheckpointStore {
    let folder: RunFolder
    private let description: RunDescription
    private let metrics: MetricsLogger
    private let store: RunStore
    private let console: Console
    private(set) var run: Run
    private var lastPicture = Timer()
    /// What the last picture cost; of a long run, it takes a while to read all that was measured.
    private var drawingSeconds = 0.0
    private var lastUpdate = Timer()

    /// Seconds between two pictures, and between two updates of the store.
    private static let pictureInterval = 30.0
    private static let updateInterval = 2.0

    /// Opens the logs of a run and registers it.
    ///
    /// - Parameters:
    ///   - folder: The locked folder.
    ///   - description: The run.
    ///   - step: The step it goes on from; 0 for a beginning.
    ///   - store: The store of runs.
    ///   - console: Hears of trouble with the store.
    /// - Throws: `RondoError` that names the file.
    init(
        folder: RunFolder, _ description: RunDescription, resumingAfter step: Int, store: RunStore, console: Console
    ) throws {
        self.folder = folder
        self.description = description
        self.store = store
        self.console = console
        let now = WallClock.now
        metrics = try MetricsLogger(folder: folder, resumingAfter: step, wallTime: now)
        if var known = try? store.find(folder.path), known.folder == FileSystem.canonical(folder.path) {
            known.status = .running
            known.updatedAt = now
            try store.update(known)
            run = known
        } else {
            run = try store.add(
                Run(
                    name: FileSystem.name(of: FileSystem.canonical(folder.path)), folder: folder.path, createdAt: now,
                    configuration: description.configuration, model: description.model,
                    parameterCount: description.parameterCount, seed: description.seed, version: RootCommand.release,
                    host: Self.host))
        }
    }

    /// Publishes a checkpoint; what was logged before it must be on the disk first.
    func save(step: Int, isBest: Bool, _ write: (_ folder: String) throws -> Void) throws -> String {
        try metrics.synchronize()
        return try folder.saveCheckpoint(
            step: step, isBest: isBest, keepLast: description.keepLast, write
        ).path
    }

    /// Notes that the run ended with an error.
    func recordFailure() { update(atMostEvery: 0) { $0.status = .failed } }

    /// Logs the values of a step.
    func log(step: Int, _ values: [(name: String, value: Double)]) throws {
        try metrics.log(step: step, values, wallTime: WallClock.now)
    }

    /// Notes that the run ended.
    func finish(_ change: (inout Run) -> Void) throws {
        try metrics.synchronize()
        try drawPictures(atMostEvery: 0)
        update(atMostEvery: 0, change)
    }

    /// Draws the pictures, unless the last ones are too young.
    func drawPictures() throws { try drawPictures(atMostEvery: Self.pictureInterval) }

    private func drawPictures(atMostEvery interval: Double) throws {
        guard interval == 0 || lastPicture.seconds >= max(interval, 100 * drawingSeconds) else { return }
        let watch = Timer()
        let curves = try MetricsLogger.curves(folder.metricsPath)
        let charts = description.charts.compactMap { chart -> LossChart? in
            let series = chart.curves.compactMap { name, key, style in
                curves[key].map { LossChart.Series(name: name, points: $0, style: style) }
            }
            return series.isEmpty ? nil : LossChart(title: run.name, yLabel: chart.yLabel, series: series)
        }
        if charts.count == 1 {
            try charts[0].write(to: folder)
        } else if !charts.isEmpty {
            try LossChart.write(charts, to: folder.lossSVGPath)
            try LossChart.write(charts, to: folder.lossPNGPath)
        }
        lastPicture = Timer()
        drawingSeconds = watch.seconds
    }

    /// Changes the row in the store, and writes it if the last time is long enough ago.
    ///
    /// A store that cannot be written is no reason to lose the run: all of it is in the folder.
    func update(atMostEvery interval: Double = updateInterval, _ change: (inout Run) -> Void) {
        change(&run)
        guard lastUpdate.seconds >= interval else { return }
        run.updatedAt = WallClock.now
        lastUpdate = Timer()
        do { try store.update(run) } catch { console.warn("\(error)") }
    }

    private static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let text = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return "\(text), \(Runtime.instructionSet.rawValue), \(Runtime.threadCount) threads"
    }
}
