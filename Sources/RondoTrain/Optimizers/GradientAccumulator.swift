public import RondoNN
import RondoTensor

/// Sums gradients of several small batches, weighted by their numbers of target tokens, as if they were one batch.
public struct GradientAccumulator: Sendable {
    /// Tokens counted so far.
    public private(set) var tokenCount = 0
    private var sum: ParameterSet?
    private var isSingle = false

    /// Creates an empty sum.
    public init() {}

    /// Adds the gradients of a loss that is a mean over `tokens` targets.
    public mutating func add(_ gradients: ParameterSet, tokens: Int) throws {
        guard tokens > 0 else { return }
        let before = tokenCount
        tokenCount += tokens
        guard var total = sum else {
            // A single batch passes through untouched; it is weighted when a second one comes.
            sum = gradients
            isSingle = true
            return
        }
        sum = nil
        if isSingle {
            isSingle = false
            for index in total.tensors.indices { total.tensors[index] = try total.tensors[index] * Double(before) }
        }
        for index in total.tensors.indices {
            try total.tensors[index].accumulate(gradients.tensors[index], scale: Double(tokens))
        }
        sum = total
    }

    /// The gradients of the mean over all tokens, after which the sum is empty; `nil` when no token was counted.
    public mutating func finish() throws -> ParameterSet? {
        guard var total = sum else { return nil }
        sum = nil
        if !isSingle {
            for index in total.tensors.indices { total.tensors[index] = try total.tensors[index] / Double(tokenCount) }
        }
        self = GradientAccumulator()
        return total
    }
}
