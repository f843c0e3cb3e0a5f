/// The tokens that the repetition penalty applies to, kept in memory that does not grow.
struct RepetitionHistory {
    /// How often each token occurs in the window; at most once without a limit.
    private(set) var occurrences: [Int32]
    /// The last tokens as a ring, the oldest at `oldest` once it is full.
    private var ring: [Int32] = []
    private var oldest = 0
    /// The length of the ring; `nil` if everything counts.
    private let limit: Int?

    /// Creates an empty history; a window of -1 counts everything.
    init(window: Int, vocabularySize: Int) {
        limit = window < 0 ? nil : window
        occurrences = [Int32](repeating: 0, count: vocabularySize)
        ring.reserveCapacity(max(window, 0))
    }

    /// The tokens that rebuild this history when appended to an empty one.
    var tokens: [Int32] {
        guard limit != nil else {
            return occurrences.indices.filter { occurrences[$0] > 0 }.map(Int32.init)
        }
        return Array(ring[oldest...] + ring[..<oldest])
    }

    mutating func append(_ token: Int32) {
        guard let limit else {
            occurrences[Int(token)] = 1
            return
        }
        guard limit > 0 else { return }
        occurrences[Int(token)] += 1
        if ring.count < limit {
            ring.append(token)
        } else {
            occurrences[Int(ring[oldest])] -= 1
            ring[oldest] = token
            oldest = (oldest + 1) % limit
        }
    }
}
