public import RondoData
import RondoModels
import RondoNN
import RondoTensor

extension TaskModel {
    /// Judges what the model thinks may follow in random languages, at every position after the first symbol, also after
    /// whole strings, where it is asked what could follow.
    ///
    /// - Parameters:
    ///   - instances: What it reads.
    ///   - separator: The token between strings.
    /// - Returns: A score for every string of an instance: the first, the second, …
    /// - Throws: `RondoError` if the model does not read the tokens.
    public func scores(on instances: [LanguageInstance], separator: Int32) throws -> [NextSymbolScore] {
        var scores = Array(repeating: NextSymbolScore(), count: instances.map(\.strings.count).max() ?? 0)
        for start in stride(from: 0, to: instances.count, by: 32) {
            let part = instances[start..<min(instances.count, start + 32)]
            let batch = try TaskBatch(part.map { $0.example(separator: separator) })
            var state = try initialState(batch: part.count)
            let probabilities = try self(batch.inputs, state: &state).softmax()
            for (row, instance) in part.enumerated() {
                let values = try probabilities.selecting(0, row).array(of: Float.self)
                let width = probabilities.shape[2]
                var place = 0
                for (string, states) in instance.states.enumerated() {
                    if string > 0 {
                        scores[string].add(
                            values[place * width..<(place + 1) * width].map(Double.init),
                            allowed: instance.automaton.symbols(after: 0))
                        place += 1
                    }
                    for state in states {
                        scores[string].add(
                            values[place * width..<(place + 1) * width].map(Double.init),
                            allowed: instance.automaton.symbols(after: state))
                        place += 1
                    }
                }
            }
        }
        return scores
    }
}
