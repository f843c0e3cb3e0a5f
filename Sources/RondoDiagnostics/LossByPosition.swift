import RondoNN
public import RondoTensor

/// How well a model predicts at each distance from the beginning: flat beyond the training length, or exploding.
public struct LossByPosition: Sendable, Codable, Equatable {
    /// Neighbouring positions.
    public struct Bucket: Sendable, Codable, Equatable {
        /// The first position.
        public var start: Int
        /// The position after the last one.
        public var end: Int
        /// The mean loss in nats a token.
        public var mean: Double
        /// The standard deviation of the rows' means; 0 of a single row.
        public var spread: Double
    }

    /// How positions are put together.
    public enum Bucketing: String, Sendable, Codable, CaseIterable {
        /// From a power of two to the next.
        case powersOfTwo = "powers_of_two"
        /// Sixteen of one length.
        case linear
    }

    /// The buckets by position.
    public var buckets: [Bucket]

    /// Puts losses into buckets.
    ///
    /// - Parameters:
    ///   - losses: For each row the loss at each position, in nats.
    ///   - bucketing: How positions are put together.
    public init(_ losses: [[Double]], bucketing: Bucketing) {
        let length = losses.map(\.count).min() ?? 0
        buckets = Self.bounds(length, bucketing).map { start, end in
            let means = losses.map { $0[start..<end].reduce(0, +) / Double(end - start) }
            let mean = means.reduce(0, +) / Double(means.count)
            let square = means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            let spread = means.count > 1 ? (square / Double(means.count - 1)).squareRoot() : 0
            return Bucket(start: start, end: end, mean: mean, spread: spread)
        }
    }

    private static func bounds(_ length: Int, _ bucketing: Bucketing) -> [(Int, Int)] {
        var edges = [0]
        switch bucketing {
        case .powersOfTwo:
            var edge = 8
            while edge < length {
                edges.append(edge)
                edge *= 2
            }
        case .linear:
            edges += (1..<16).map { $0 * length / 16 }
        }
        edges.append(length)
        return zip(edges, edges.dropFirst()).filter { $0 < $1 }
    }

    /// The loss of each target, in nats, `[batch, time]`.
    ///
    /// - Parameters:
    ///   - logits: Scores, `[batch, time, vocabSize]`.
    ///   - targets: The right tokens, int32 `[batch, time]`.
    /// - Returns: -log of the probability of each target.
    /// - Throws: `RondoError` if shapes do not fit.
    public static func losses(_ logits: Tensor, _ targets: Tensor) throws -> Tensor {
        let shifted = try logits - logits.max([-1], keepingAxes: true)
        let all = try shifted.exp().sum([-1]).log()
        return try all - shifted.takingAlong(targets.expanded(at: -1), axis: 2).squeezed(-1)
    }
}
