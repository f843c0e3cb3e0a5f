public import RondoData
import RondoModels
import RondoNN
import RondoTensor

extension TaskModel {
    /// The share of symbols whose hidden state the model knows: at every symbol, the likeliest state by the sum of its
    /// probabilities over the symbol's frame and its gap.
    ///
    /// - Parameters:
    ///   - task: The task.
    ///   - length: Symbols of an example.
    ///   - count: How many examples.
    ///   - seed: Draws them.
    /// - Returns: From 0 to 1.
    /// - Throws: `RondoError` if the task does not fit the model.
    public func symbolAccuracy(
        on task: SelectivityTask, length: Int, count: Int = 128, seed: UInt64 = 0x5c0e
    ) throws -> Double {
        var generator = Generator(seed: seed, stream: UInt64(length))
        let grammar = try task.grammar()
        var (right, asked, left) = (0, 0, count)
        while left > 0 {
            let samples = try (0..<min(left, 16)).map { _ in
                try task.sample(length: length, of: grammar, using: &generator)
            }
            left -= samples.count
            let batch = try TaskBatch(samples.map(\.example))
            var state = try initialState(batch: samples.count)
            let probabilities = try self(batch.inputs, state: &state).softmax()
            for (row, sample) in samples.enumerated() {
                let values = try probabilities.selecting(0, row).array(of: Float.self)
                right += Self.rightSymbols(sample, values, states: grammar.stateCount)
                asked += sample.starts.count
            }
        }
        return Double(right) / Double(max(1, asked))
    }

    /// Symbols whose state has the largest sum of probabilities over their frames.
    private static func rightSymbols(_ sample: SelectivitySample, _ probabilities: [Float], states: Int) -> Int {
        sample.segments.count { segment in
            var sums = Array(repeating: Float(0), count: states)
            for frame in segment {
                for state in 0..<states { sums[state] += probabilities[frame * states + state] }
            }
            let guess = sums.indices.max { sums[$0] < sums[$1] }
            return guess.map(Int32.init) == sample.states[segment.lowerBound]
        }
    }
}
