import RondoIO
import RondoTensor

/// Writes the numbers of a run to `metrics.jsonl` and to a TensorBoard event file at once.
///
/// A line of `metrics.jsonl` holds `step`, `time` (seconds since 1970) and the values by name; a value that is not
/// finite is `null` there and kept as it is in the event file.
public final class MetricsLogger: Sendable {
    private let lines: JSONLines
    private let events: EventFile

    /// Opens the logs of a run, new or old.
    ///
    /// - Parameters:
    ///   - folder: The run folder.
    ///   - step: The step of the checkpoint that the run goes on from; what was logged after it is removed.
    ///   - wallTime: Seconds since 1970, for the name of a new event file.
    /// - Throws: `RondoError` that names the file.
    public init(folder: RunFolder, resumingAfter step: Int? = nil, wallTime: Double) throws {
        let eventsPath =
            try folder.eventFiles().last ?? FileSystem.join(folder.path, EventFile.name(wallTime: wallTime))
        if let step {
            if FileSystem.kind(of: folder.metricsPath) != nil {
                try JSONLines.truncate(folder.metricsPath) { ($0["step"]?.intValue ?? 0) <= step }
            }
            for path in try folder.eventFiles() { try EventFile.truncate(path) { $0.step <= step } }
        }
        lines = try JSONLines(appendingTo: folder.metricsPath)
        events = try EventFile(appendingTo: eventsPath, wallTime: wallTime)
    }

    /// Records values of one step.
    ///
    /// - Parameters:
    ///   - step: The training step; steps must not go back.
    ///   - values: Names such as `train/loss` and their values, in the order to write them.
    ///   - wallTime: Seconds since 1970.
    /// - Throws: `RondoError` that names the file, for example on a full disk.
    public func log(step: Int, _ values: [(name: String, value: Double)], wallTime: Double) throws {
        var record = JSONObject()
        record["step"] = .integer(step)
        record["time"] = .real(wallTime)
        for (name, value) in values { record[name] = .real(value) }
        try lines.append(.object(record))
        try events.append(
            values.map { ScalarEvent(wallTime: wallTime, step: step, tag: $0.name, value: Float($0.value)) })
    }

    /// Waits until everything logged is on the disk, as it must be before a checkpoint counts.
    ///
    /// - Throws: `RondoError` that names the file.
    public func synchronize() throws {
        try lines.synchronize()
        try events.synchronize()
    }

    /// What runs along the horizontal axis of a curve.
    public enum Axis: Sendable {
        /// The training step.
        case step
        /// Seconds since the first record; breaks between records count.
        case seconds
    }

    /// Reads the curves of a run, the current one included.
    ///
    /// - Parameters:
    ///   - path: The path of a `metrics.jsonl`.
    ///   - axis: What runs along the horizontal axis.
    /// - Returns: The points of each curve by name.
    /// - Throws: `RondoError` that names the path, and the line if one is damaged.
    public static func curves(_ path: String, by axis: Axis = .step) throws -> [String: [CurvePoint]] {
        var curves: [String: [CurvePoint]] = [:]
        var start: Double?
        for record in try JSONLines.read(path) {
            guard let step = record["step"]?.doubleValue, let object = record.objectValue else { continue }
            let time = record["time"]?.doubleValue ?? 0
            start = start ?? time
            let place = axis == .step ? step : time - (start ?? time)
            for (name, value) in object.members where name != "step" && name != "time" {
                if let value = value.doubleValue { curves[name, default: []].append(CurvePoint(place, value)) }
            }
        }
        return curves
    }
}
