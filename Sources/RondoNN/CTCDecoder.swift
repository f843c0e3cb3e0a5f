public import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Reads labels from the scores of a model that was trained with ``Loss/ctc(_:targets:inputLengths:blank:zeroInfinity:)``.
public struct CTCDecoder: Sendable, Equatable {
    /// Labels, and how likely they are.
    public struct Labelling: Sendable, Equatable {
        /// The labels, without blanks.
        public var labels: [Int32]
        /// The logarithm of the sum over the paths that were kept and stand for them; a lower bound of that over all.
        public var logProbability: Double
    }

    /// The class that stands for no label.
    public var blank: Int32

    /// Creates a decoder.
    public init(blank: Int32 = 0) { self.blank = blank }

    /// The labels that a path stands for: repetitions merged, then blanks dropped.
    public func collapse(_ path: some Sequence<Int32>) -> [Int32] {
        var (labels, last) = ([Int32](), blank)
        for symbol in path {
            if symbol != last, symbol != blank { labels.append(symbol) }
            last = symbol
        }
        return labels
    }

    /// The labels of the best path: fast, though other labels may have more probability over all their paths.
    ///
    /// - Parameters:
    ///   - logits: Scores `[batch, time, classes]`.
    ///   - inputLengths: The frames of every sequence; all if `nil`.
    /// - Returns: The labels of every sequence.
    /// - Throws: `RondoError` if shapes do not fit.
    public func greedy(_ logits: Tensor, inputLengths: [Int]? = nil) throws -> [[Int32]] {
        let lengths = try checkedLengths(logits, inputLengths)
        let best = try logits.argmax().array(of: Int32.self)
        return lengths.enumerated().map { row, length in
            let start = row * logits.shape[1]
            return collapse(best[start..<start + length])
        }
    }

    /// The likeliest labels by prefix beam search: the paths of one prefix are added up before prefixes are compared.
    ///
    /// - Parameters:
    ///   - logits: Scores `[batch, time, classes]`.
    ///   - inputLengths: The frames of every sequence; all if `nil`.
    ///   - width: How many prefixes are kept after every frame, at least 1.
    /// - Returns: For every sequence the labellings that are left, the likeliest first.
    /// - Throws: `RondoError` if shapes do not fit or `width` is less than 1.
    public func beam(_ logits: Tensor, inputLengths: [Int]? = nil, width: Int = 16) throws -> [[Labelling]] {
        try requireValue(width >= 1, "width", width, "at least 1")
        let lengths = try checkedLengths(logits, inputLengths)
        let (time, classes) = (logits.shape[1], logits.shape[2])
        let scores = try logits.detached().logSoftmax().cast(to: .float64).array(of: Double.self)
        return lengths.enumerated().map { row, length in
            let frames = (0..<length).map { frame in
                let start = (row * time + frame) * classes
                return scores[start..<start + classes]
            }
            return search(frames, width: width)
        }
    }

    /// A prefix with the probabilities of its paths that end in a blank, and in its last label.
    private struct Prefix {
        var labels: [Int32]
        var inBlank = -Double.infinity
        var inLabel = -Double.infinity

        var total: Double { logSum(inBlank, inLabel) }
    }

    private func search(_ frames: [ArraySlice<Double>], width: Int) -> [Labelling] {
        var beam = [Prefix(labels: [], inBlank: 0)]
        for frame in frames {
            // In the order of their first appearance, so that sums and ties come out the same every time.
            var (next, places) = ([Prefix](), [[Int32]: Int]())
            func add(_ labels: [Int32], _ part: WritableKeyPath<Prefix, Double>, _ value: Double) {
                guard value > -.infinity else { return }
                let place = places[labels] ?? next.count
                if place == next.count {
                    places[labels] = place
                    next.append(Prefix(labels: labels))
                }
                next[place][keyPath: part] = logSum(next[place][keyPath: part], value)
            }
            for prefix in beam {
                let total = prefix.total
                for (index, score) in frame.enumerated() {
                    let symbol = Int32(index)
                    if symbol == blank {
                        add(prefix.labels, \.inBlank, total + score)
                    } else if symbol == prefix.labels.last {
                        add(prefix.labels, \.inLabel, prefix.inLabel + score)
                        add(prefix.labels + [symbol], \.inLabel, prefix.inBlank + score)
                    } else {
                        add(prefix.labels + [symbol], \.inLabel, total + score)
                    }
                }
            }
            beam = Array(next.enumerated().sorted(by: Self.isBetter).prefix(width).map(\.element))
        }
        return beam.map { Labelling(labels: $0.labels, logProbability: $0.total) }
    }

    private static func isBetter(_ a: (offset: Int, element: Prefix), _ b: (offset: Int, element: Prefix)) -> Bool {
        let (left, right) = (a.element.total, b.element.total)
        return left == right ? a.offset < b.offset : left > right
    }

    private func checkedLengths(_ logits: Tensor, _ inputLengths: [Int]?) throws -> [Int] {
        guard logits.rank == 3, (0..<Int32(clamping: logits.shape[2])).contains(blank) else {
            throw RondoError(
                .shapeMismatch,
                "CTC decoding: needs logits [batch, time, classes] of more than \(blank) classes, got \(logits.shape)")
        }
        let (batch, time) = (logits.shape[0], logits.shape[1])
        let lengths = inputLengths ?? Array(repeating: time, count: batch)
        guard lengths.count == batch, lengths.allSatisfy({ (0...time).contains($0) }) else {
            throw RondoError(
                .shapeMismatch,
                "CTC decoding: \(batch) sequences of up to \(time) frames cannot have lengths \(lengths)")
        }
        return lengths
    }
}

/// log(eᵃ + eᵇ).
private func logSum(_ a: Double, _ b: Double) -> Double {
    if a == -.infinity { return b }
    if b == -.infinity { return a }
    return max(a, b) + log1p(exp(-abs(a - b)))
}
