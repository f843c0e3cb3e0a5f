public import RondoTensor

/// Tells which of two frequencies a noisy sine has.
public struct ToneTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "tones",
        summary: "Which of two frequencies does a noisy sine have?",
        definition: """
            Input: sin(2π f t + φ) plus normal noise of deviation `noise`, φ uniform, f = `low_frequency` or \
            `high_frequency` with equal chances. Sample i is taken at t = i · `sampling_step`, so that a step of 2 means \
            half the rate. Asked at the last sample: which frequency. A length counts samples.
            """,
        source: "after the resampled speech commands of Gu et al., 2021")

    /// The lower frequency, in periods of a unit of time (a sample, if the sampling step is 1).
    public var lowFrequency = 1.0 / 32
    /// The higher one.
    public var highFrequency = 1.0 / 16
    /// The deviation of the noise.
    public var noise = 1.0
    /// Time between two samples.
    public var samplingStep = 1.0

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses frequencies that samples cannot tell.
    public func validate() throws {
        try requireValue(samplingStep > 0 && samplingStep.isFinite, "sampling_step", samplingStep, "above 0")
        try requireValue(
            lowFrequency > 0 && lowFrequency < highFrequency && highFrequency * samplingStep < 0.5,
            "low_frequency, high_frequency", "\(lowFrequency), \(highFrequency)",
            "rising, above 0, and below half a period of a sample")
        try requireValue(noise >= 0 && noise.isFinite, "noise", noise, "0 or more")
    }

    /// One number.
    public var input: TaskInput { .features(1) }
    /// Low, high.
    public var output: TaskOutput { .classes(2) }
    /// 256.
    public var trainingLengths: ClosedRange<Int> { 256...256 }
    /// 256 and more.
    public var testLengths: [Int] { [256, 512] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        let kind = Int32.random(in: 0...1, using: &generator)
        let phase = Double.random(in: 0..<2 * .pi, using: &generator)
        let turn = 2 * Double.pi * (kind == 0 ? lowFrequency : highFrequency) * samplingStep
        let angles = try (Tensor.range(length).cast(to: .float32) * turn) + phase
        let samples = try angles.unary(.sin) + generator.normal([length], deviation: noise)
        var classes = Array(repeating: TaskExample.unasked, count: length)
        classes[length - 1] = kind
        return TaskExample(
            inputs: .features(try samples.array(of: Float.self).map { [$0] }), targets: .classes(classes))
    }
}
