public import RondoTensor

/// A bit at the beginning, noise after it; at the end the bit is asked.
public struct LatchTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "latch",
        summary: "What was the bit at the beginning?",
        definition: """
            Input: a fair bit (token 0 or 1), then independent uniform noise (tokens 2 to noise + 1). Asked at the last \
            position: the bit. A length counts positions, the bit included.
            """,
        source: "after Bengio, Simard and Frasconi, 1994")

    /// The number of different noise tokens.
    public var noise = 4

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses impossible numbers of tokens.
    public func validate() throws {
        try requireValue((1...1 << 16).contains(noise), "noise", noise, "from 1 to 65536")
    }

    /// Bits and noise.
    public var input: TaskInput { .tokens(2 + noise) }
    /// The bit.
    public var output: TaskOutput { .classes(2) }
    /// Sixty positions.
    public var trainingLengths: ClosedRange<Int> { 60...60 }
    /// Up to 240.
    public var testLengths: [Int] { [60, 120, 240] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireValue(length >= 1, "length", length, "at least 1")
        let bit = Int32.random(in: 0...1, using: &generator)
        let rest = (1..<length).map { _ in Int32.random(in: 2..<Int32(2 + noise), using: &generator) }
        var classes = Array(repeating: TaskExample.unasked, count: length)
        classes[length - 1] = bit
        return TaskExample(tokens: [bit] + rest, classes: classes)
    }
}
