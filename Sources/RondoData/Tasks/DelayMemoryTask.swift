public import RondoTensor

/// What a smooth signal was some time ago, given the signal with noise.
public struct DelayMemoryTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "delay_memory",
        summary: "What was the signal some steps ago?",
        definition: """
            A signal of limited bandwidth: the sum of 32 tones of equal amplitude, whose frequencies are independent and \
            uniform from 0 to 1/`shortest_period` cycles a step and whose phases are independent and uniform; its variance \
            is 1. Input: one feature, the signal plus noise that is independent, uniform around 0 and of standard \
            deviation `noise`. Asked from position `delay` (counted from 0) on: the signal without noise `delay` positions \
            before. A length counts positions, more than `delay`. Chance: a mean squared error of 1.
            """,
        source: "Voelker et al., 2019; Liu et al., 2024 (LMUFormer)")

    /// How many positions before.
    public var delay = 16
    /// The positions that the fastest tone takes for one cycle.
    public var shortestPeriod = 16.0
    /// The standard deviation of the noise.
    public var noise = 0.05

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses tones that positions cannot show.
    public func validate() throws {
        try requireValue((0...1 << 20).contains(delay), "delay", delay, "from 0 to 1048576")
        try requireValue(
            shortestPeriod >= 2 && shortestPeriod.isFinite, "shortest_period", shortestPeriod, "2 or more")
        try requireValue(noise >= 0 && noise.isFinite, "noise", noise, "0 or more")
    }

    /// The signal with noise.
    public var input: TaskInput { .features(1) }
    /// The signal.
    public var output: TaskOutput { .values(1) }
    /// From four to eight times the delay.
    public var trainingLengths: ClosedRange<Int> { 4 * (delay + 1)...8 * (delay + 1) }
    /// Up to 64 times the delay.
    public var testLengths: [Int] { [8, 16, 64].map { $0 * (delay + 1) } }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length > delay, length, "more than delay = \(delay)")
        let signal = signal(length, using: &generator)
        // Uniform numbers of variance 1 reach from -√3 to √3.
        let reach = noise * 3.0.squareRoot()
        let features = signal.map { [Float($0 + Double.random(in: -1...1, using: &generator) * reach)] }
        let targets = signal.indices.map { $0 >= delay ? [Float(signal[$0 - delay])] : nil }
        return TaskExample(inputs: .features(features), targets: .values(targets))
    }

    private func signal(_ length: Int, using generator: inout Generator) -> [Double] {
        let count = 32
        var signal = [Double](repeating: 0, count: length)
        let amplitude = (2 / Double(count)).squareRoot()
        for _ in 0..<count {
            let step = UnitVector(turns: Double.random(in: 0..<1, using: &generator) / shortestPeriod)
            var tone = UnitVector(turns: Double.random(in: 0..<1, using: &generator))
            for position in 0..<length {
                signal[position] += amplitude * tone.x
                tone = tone.rotated(by: step)
            }
        }
        return signal
    }
}

/// A point of the unit circle, computed with sums and products only: the library's sine may differ between machines.
private struct UnitVector {
    var x: Double
    var y: Double

    /// The point after so many turns, at most 1 in magnitude.
    init(turns: Double) {
        // The Taylor series of a 64th of the angle, then six doublings.
        let angle = turns * 2 * .pi / 64
        var (term, cosine, sine) = (1.0, 1.0, 0.0)
        for order in 1...12 {
            term *= angle / Double(order)
            switch order % 4 {
            case 1: sine += term
            case 2: cosine -= term
            case 3: sine -= term
            default: cosine += term
            }
        }
        (x, y) = (cosine, sine)
        for _ in 0..<6 { self = rotated(by: self) }
    }

    func rotated(by other: UnitVector) -> UnitVector {
        var result = self
        (result.x, result.y) = (x * other.x - y * other.y, x * other.y + y * other.x)
        return result
    }
}
