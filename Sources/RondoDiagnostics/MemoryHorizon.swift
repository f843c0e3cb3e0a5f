public import RondoModels
import RondoNN
public import RondoTensor

/// How far back a loss looks: the norm of its derivative with respect to what was read some positions earlier.
public struct MemoryHorizon: Sendable, Codable, Equatable {
    /// The mean norm over rows by distance: 0 is the position at which the loss is taken.
    public var norms: [Double]

    /// Measures any function of vectors.
    ///
    /// - Parameters:
    ///   - vectors: What is read, `[rows, time, width]`; rows must not touch each other.
    ///   - loss: The sum over rows of a loss at the last position.
    /// - Throws: `RondoError` if the loss is not one number, or what `loss` throws.
    public init(of vectors: Tensor, loss: (Tensor) throws -> Tensor) throws {
        guard vectors.rank == 3 else {
            throw RondoError(
                .shapeMismatch, "memory horizon: vectors must be [rows, time, width]; got \(vectors.shape)")
        }
        let gradient = try valueAndGradient(of: [vectors]) { try loss($0[0]) }.gradients[0]
        let byTime = try gradient.cast(to: .float64).square().sum([2]).sqrt().mean([0])
        norms = try byTime.array(of: Double.self).reversed()
    }

    /// Measures a language model: the loss of the last token of each row, by the embeddings of those before.
    ///
    /// - Parameters:
    ///   - model: The model, with weights through which derivatives flow.
    ///   - rows: Tokens, of one length, at least two.
    /// - Throws: `RondoError` if rows differ in length or a token is outside the vocabulary.
    public init(of model: LanguageModel, rows: [[Int32]]) throws {
        guard let length = rows.first?.count, length >= 2, rows.allSatisfy({ $0.count == length }) else {
            throw RondoError(.invalidArgument, "memory horizon: rows must have one length of at least 2 tokens")
        }
        let inputs = try Tensor(rows.flatMap { $0.dropLast() }, shape: [rows.count, length - 1])
        let targets = try Tensor(rows.flatMap { $0.suffix(1) }, shape: [rows.count, 1])
        try self.init(of: model.vectors(of: inputs)) { vectors in
            var state = try model.initialState(batch: rows.count)
            let logits = try model.logits(vectors: vectors, of: inputs, state: &state, onlyLast: true)
            return try LossByPosition.losses(logits, targets).sum()
        }
    }

    /// The largest distance at which the derivative is at least a share of the largest one.
    public func reach(share: Double = 0.01) -> Int {
        let limit = (norms.max() ?? 0) * share
        return norms.lastIndex { $0 >= limit && $0 > 0 } ?? 0
    }
}

/// Whether a model finds again what it read once: a pair of rare tokens is planted, and its first token comes again.
public struct RecallByDistance: Sendable, Codable, Equatable {
    /// One distance.
    public struct Point: Sendable, Codable, Equatable {
        /// Positions between both occurrences of the first token.
        public var distance: Int
        /// The mean probability of the second token where the pair was planted.
        public var probability: Double
        /// The mean probability of the second token without.
        public var baseline: Double
        /// How much likelier it became, in nats, on average.
        public var gain: Double
    }

    /// The measurements by rising distance.
    public var points: [Point] = []

    /// Measures a language model.
    ///
    /// Each row gets a pair of its own, out of the rarer half of the tokens that occur in the rows. Untrained tokens would
    /// measure nothing.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - rows: Text to plant in, longer than the largest distance by two at least.
    ///   - distances: The distances.
    ///   - generator: Draws the pairs.
    /// - Throws: `RondoError` if there are fewer than four different tokens, or a row is too short.
    public init(
        of model: LanguageModel, rows: [[Int32]], distances: [Int], using generator: inout Generator
    ) throws {
        var counts: [Int32: Int] = [:]
        for token in rows.joined() { counts[token, default: 0] += 1 }
        let rare = counts.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.prefix(max(2, counts.count / 2)).map(\.key)
        guard counts.count >= 4, let shortest = rows.map(\.count).min(),
            distances.allSatisfy({ $0 >= 2 && $0 + 2 <= shortest })
        else {
            throw RondoError(
                .invalidArgument, "recall: needs at least four different tokens, and rows longer than every distance")
        }
        for distance in distances.sorted() {
            var with: [[Int32]] = []
            var without: [[Int32]] = []
            var seconds: [Int32] = []
            for row in rows {
                let first = rare[Int.random(in: 0..<rare.count, using: &generator)]
                let others = rare.filter { $0 != first }
                let second = others[Int.random(in: 0..<others.count, using: &generator)]
                // The same text, with other tokens in the place of the pair's.
                var text = Array(row.prefix(shortest - 1)).map { $0 == first ? second : $0 } + [first]
                without.append(text)
                let place = text.count - 1 - distance
                (text[place], text[place + 1]) = (first, second)
                with.append(text)
                seconds.append(second)
            }
            let (planted, plain) = (
                try Self.logProbabilities(model, with, seconds), try Self.logProbabilities(model, without, seconds)
            )
            let count = Double(rows.count)
            points.append(
                Point(
                    distance: distance, probability: planted.reduce(0) { $0 + Elementary.exp($1) } / count,
                    baseline: plain.reduce(0) { $0 + Elementary.exp($1) } / count,
                    gain: zip(planted, plain).reduce(0) { $0 + $1.0 - $1.1 } / count))
        }
    }

    private static func logProbabilities(
        _ model: LanguageModel, _ rows: [[Int32]], _ targets: [Int32]
    ) throws -> [Double] {
        let tokens = try Tensor(rows.flatMap { $0 }, shape: [rows.count, rows[0].count])
        var state = try model.initialState(batch: rows.count)
        let logits = try model.lastLogits(tokens, state: &state).expanded(at: 1)
        let losses = try LossByPosition.losses(logits, Tensor(targets, shape: [targets.count, 1]))
        return try losses.cast(to: .float64).array(of: Double.self).map { -$0 }
    }
}
