public import RondoTensor

/// Repeat a smooth random signal after a delay.
public struct DelayedSignalTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "delayed_signal",
        summary: "Repeat a smooth random signal after a delay.",
        definition: """
            Input: normal noise through y = s y⁻ + √(1 - s²) ε twice, s = `smoothness`, the second output scaled to \
            variance 1. Asked from position `delay` on: the input so many positions earlier. A length counts samples.
            """,
        source: "the delay tasks of Voelker et al., 2019, and Gu et al., 2021-2022")

    /// How many positions later a value is asked.
    public var delay = 256
    /// From 0, white noise, to below 1.
    public var smoothness = 0.9

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses filters that are none.
    public func validate() throws {
        try requireValue((0...1 << 20).contains(delay), "delay", delay, "from 0 to 1048576")
        try requireValue(smoothness >= 0 && smoothness < 1, "smoothness", smoothness, "from 0 to below 1")
    }

    /// One number.
    public var input: TaskInput { .features(1) }
    /// One number.
    public var output: TaskOutput { .values(1) }
    /// Four delays.
    public var trainingLengths: ClosedRange<Int> { 4 * max(1, delay)...4 * max(1, delay) }
    /// Four and eight delays.
    public var testLengths: [Int] { [4 * max(1, delay), 8 * max(1, delay)] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length > delay, length, "more than delay = \(delay)")
        // Both filters have forgotten their beginning after this many positions, to a hundredth.
        let lead = Int(10 / (1 - smoothness))
        let noise = try generator.normal([lead + length]).array(of: Float.self)
        let (s, gain) = (Float(smoothness), Float(1 - smoothness * smoothness).squareRoot())
        // The variance of the second output: (1 - s²)² Σ (k + 1)² s^2k = (1 + s²) / (1 - s²).
        let scale = Float((1 - smoothness * smoothness) / (1 + smoothness * smoothness)).squareRoot()
        var (first, second) = (Float(0), Float(0))
        let signal = noise.map { value in
            first = s * first + gain * value
            second = s * second + gain * first
            return scale * second
        }.suffix(length)
        let values = Array(signal)
        let targets = values.indices.map { $0 < delay ? nil : [values[$0 - delay]] }
        return TaskExample(inputs: .features(values.map { [$0] }), targets: .values(targets))
    }
}
