import RondoMixers
import RondoNN
public import RondoTensor

/// The ways in which a model can read: all must give the same scores.
public enum ReadingForm: Sendable, Equatable {
    /// Whole sequences at once, by the parallel form of every mixer.
    case parallel
    /// Pieces between these positions, with the state carried along.
    case chunk(cuts: [Int])
    /// Token by token, as generation does.
    case step
    /// All tokens but the last of every row in one padded batch, then the last ones side by side.
    case prefill(padding: Padding)

    /// The side on which shorter rows of a batch are filled up.
    public enum Padding: String, Sendable, CaseIterable {
        /// Before their tokens.
        case left
        /// After their tokens.
        case right
    }
}

extension LanguageModel {
    /// Scores of the next token after each token of sequences of different lengths.
    ///
    /// - Parameters:
    ///   - sequences: Tokens of each row, at least one.
    ///   - form: How they are read.
    ///   - onProgress: Told the tokens read so far; `false` stops.
    /// - Returns: `[rows, longest, vocabSize]`, zero after the end of shorter rows; `nil` if it was stopped.
    /// - Throws: `RondoError` for empty rows, tokens outside the vocabulary and cuts that do not rise.
    public func logits(
        of sequences: [[Int32]], form: ReadingForm, onProgress: (Int) -> Bool = { _ in true }
    ) throws -> Tensor? {
        try requireTokens(sequences)
        switch form {
        case .parallel: return try parallelLogits(sequences)
        case .chunk(let cuts): return try chunkLogits(sequences, cuts: cuts, onProgress)
        case .step: return try stepLogits(sequences, onProgress)
        case .prefill(let padding): return try prefillLogits(sequences, padding)
        }
    }

    private func requireTokens(_ sequences: [[Int32]]) throws {
        guard !sequences.isEmpty else { throw RondoError(.invalidArgument, "there are no rows of tokens") }
        for (row, tokens) in sequences.enumerated() {
            guard !tokens.isEmpty else { throw RondoError(.invalidArgument, "row \(row) has no tokens") }
            if let column = tokens.firstIndex(where: { !(0..<configuration.vocabSize).contains(Int($0)) }) {
                throw RondoError(
                    .outOfRange,
                    "row \(row), token \(column): \(tokens[column]) is outside the vocabulary, 0 to "
                        + "\(configuration.vocabSize - 1)")
            }
        }
    }

    /// Rows filled up at the end: what follows a position cannot change its scores.
    private func parallelLogits(_ sequences: [[Int32]]) throws -> Tensor {
        let batch = try Self.padded(sequences)
        // The parallel forms of mixers begin with nothing; a model that has learned its beginning does not.
        guard learnedState == nil else {
            var state = try initialState(batch: sequences.count)
            return try logits(batch, state: &state)
        }
        var x = try embedded(embedding(batch.values))
        var shared = try sharedValues(of: batch.values)
        for layer in layers { x = try layer.parallel(x, shared: &shared) }
        let rows = try scores(x)
        let mask = sequences.flatMap { row in (0..<rows.shape[1]).map { $0 < row.count ? Int32(1) : 0 } }
        let valid = try Tensor(mask, shape: [sequences.count, rows.shape[1], 1])
        return try Tensor.select(valid.cast(to: rows.dtype), rows, Tensor.zeros([], dtype: rows.dtype))
    }

    private func chunkLogits(
        _ sequences: [[Int32]], cuts: [Int], _ onProgress: (Int) -> Bool
    ) throws -> Tensor? {
        guard zip(cuts, cuts.dropFirst()).allSatisfy(<), cuts.allSatisfy({ $0 > 0 }) else {
            throw RondoError(.invalidArgument, "cuts \(cuts) must be positive and rise")
        }
        let length = sequences.map(\.count).max() ?? 0
        var state = try initialState(batch: sequences.count)
        var pieces: [Tensor] = []
        let bounds = [0] + cuts.filter { $0 < length } + [length]
        for (start, end) in zip(bounds, bounds.dropFirst()) {
            let piece = sequences.map { row in Array(row[min(start, row.count)..<min(end, row.count)]) }
            let batch = try Self.padded(piece, to: end - start)
            pieces.append(try logits(batch, state: &state))
            guard onProgress(sequences.reduce(0) { $0 + min(end, $1.count) }) else { return nil }
        }
        return try Tensor.concatenate(pieces, axis: 1)
    }

    private func stepLogits(_ sequences: [[Int32]], _ onProgress: (Int) -> Bool) throws -> Tensor? {
        let length = sequences.map(\.count).max() ?? 0
        var done = 0
        var rows: [Tensor] = []
        for tokens in sequences {
            var stepper = try TokenStepper(self, batch: 1)
            var state = try initialState(batch: 1)
            var scores: [Tensor] = []
            for token in tokens {
                // A copy: the stepper writes the next scores into the same memory.
                scores.append(try stepper([token], state: &state).copied())
                done += 1
                guard onProgress(done) else { return nil }
            }
            let silent = try Tensor.zeros([length - tokens.count, configuration.vocabSize], dtype: dtype)
            rows.append(try Tensor.concatenate(scores + [silent], axis: 0))
        }
        return try Tensor.stack(rows, axis: 0)
    }

    private func prefillLogits(_ sequences: [[Int32]], _ padding: ReadingForm.Padding) throws -> Tensor {
        let length = (sequences.map(\.count).max() ?? 0) - 1
        var state = try initialState(batch: sequences.count)
        let first = try logits(
            Self.padded(sequences.map { Array($0.dropLast()) }, to: length, padding), state: &state)
        let last = try logits(Self.padded(sequences.map { Array($0.suffix(1)) }), state: &state)
        let rows = try sequences.indices.map { row in
            let count = sequences[row].count - 1
            let start = padding == .left ? length - count : 0
            let silent = try Tensor.zeros([length - count, configuration.vocabSize], dtype: dtype)
            return try Tensor.concatenate(
                [first.selecting(0, row).sliced(0, start..<start + count), last.selecting(0, row), silent], axis: 0)
        }
        return try Tensor.stack(rows, axis: 0)
    }

    /// Rows filled up with the token 0.
    private static func padded(
        _ sequences: [[Int32]], to length: Int? = nil, _ padding: ReadingForm.Padding = .right
    ) throws -> SequenceBatch {
        let length = length ?? sequences.map(\.count).max() ?? 0
        let tokens = sequences.flatMap { row in
            let filler = Array(repeating: Int32(0), count: length - row.count)
            return padding == .right ? row + filler : filler + row
        }
        return try SequenceBatch(
            Tensor(tokens, shape: [sequences.count, length]),
            validRanges: sequences.map { padding == .right ? 0..<$0.count : length - $0.count..<length })
    }
}
