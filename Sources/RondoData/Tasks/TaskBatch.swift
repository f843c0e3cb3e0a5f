public import RondoTensor

/// Examples of a task side by side; shorter ones are padded at the end, where nothing is asked.
public struct TaskBatch: Sendable {
    /// Tokens, int32 `[batch, time]`, or features, float32 `[batch, time, features]`.
    public var inputs: Tensor
    /// Classes, int32 `[batch, time]` with ``TaskExample/unasked``, or numbers, float32 `[batch, time, values]`.
    public var targets: Tensor
    /// Where something is asked, float32 `[batch, time]` of ones and zeros.
    public var asked: Tensor
    /// The number of positions at which something is asked.
    public var askedCount: Int

    /// Puts examples of one task side by side.
    ///
    /// - Throws: `RondoError` if there are none, or if they are of different kinds or inconsistent lengths.
    public init(_ examples: [TaskExample]) throws {
        guard !examples.isEmpty else { throw RondoError(.invalidArgument, "task batch: there is no example") }
        let time = examples.map(\.count).max() ?? 0
        inputs = try Self.inputs(examples, time: time)
        var mask: [Float] = []
        (targets, mask) = try Self.targets(examples, time: time)
        askedCount = mask.count { $0 > 0 }
        asked = try Tensor(mask, shape: [examples.count, time])
    }

    private static func inputs(_ examples: [TaskExample], time: Int) throws -> Tensor {
        var tokens: [Int32] = []
        var features: [Float] = []
        var width: Int?
        for example in examples {
            switch example.inputs {
            case .tokens(let values):
                tokens += values + Array(repeating: 0, count: time - values.count)
            case .features(let rows):
                let own = rows.first?.count ?? width ?? 0
                guard width == nil || width == own, rows.allSatisfy({ $0.count == own }) else { throw mixed }
                width = own
                features += rows.joined() + Array(repeating: 0, count: (time - rows.count) * own)
            }
        }
        guard let width else { return try Tensor(tokens, shape: [examples.count, time]) }
        guard tokens.isEmpty else { throw mixed }
        return try Tensor(features, shape: [examples.count, time, width])
    }

    private static func targets(_ examples: [TaskExample], time: Int) throws -> (Tensor, mask: [Float]) {
        var classes: [Int32] = []
        var values: [Float] = []
        var mask: [Float] = []
        let width = examples.lazy.compactMap { $0.targets.width }.first
        for example in examples {
            switch example.targets {
            case .classes(let answers):
                guard answers.count == example.count else { throw mixed }
                classes += answers + Array(repeating: TaskExample.unasked, count: time - answers.count)
                mask += answers.map { $0 == TaskExample.unasked ? 0 : 1 }
            case .values(let answers):
                guard answers.count == example.count, let width else { throw mixed }
                for answer in answers {
                    guard answer.map({ $0.count == width }) ?? true else { throw mixed }
                    values += answer ?? Array(repeating: 0, count: width)
                    mask.append(answer == nil ? 0 : 1)
                }
                values += Array(repeating: 0, count: (time - answers.count) * width)
            }
            mask += Array(repeating: 0, count: time - example.count)
        }
        if let width {
            guard classes.isEmpty else { throw mixed }
            return (try Tensor(values, shape: [examples.count, time, width]), mask)
        }
        return (try Tensor(classes, shape: [examples.count, time]), mask)
    }

    private static var mixed: RondoError {
        RondoError(
            .shapeMismatch, "task batch: the examples are of different kinds, or inputs and targets differ in length")
    }
}

extension TaskExample.Targets {
    /// How many numbers an answer has; `nil` for classes.
    fileprivate var width: Int? {
        guard case .values(let answers) = self else { return nil }
        return answers.lazy.compactMap { $0?.count }.first
    }
}

extension SequenceTask {
    /// Makes examples of one length side by side.
    ///
    /// - Parameters:
    ///   - count: How many.
    ///   - length: Their length.
    ///   - generator: Draws them.
    /// - Returns: The batch.
    /// - Throws: `RondoError` for a length that the task cannot have.
    public func batch(_ count: Int, length: Int, using generator: inout Generator) throws -> TaskBatch {
        try TaskBatch((0..<count).map { _ in try example(length: length, using: &generator) })
    }
}
