import RondoTensor

/// Windows over a part of a text that predict each of its tokens exactly once, with the state carried along.
///
/// The part is cut into `batch` contiguous rows whose lengths differ by at most one. The token before a row is its first
/// input, so that the first token of a row is predicted like any other; only the first token of the whole text, which has
/// no predecessor, is not. No tail is dropped: the last window is shorter, and a row that has ended before the others
/// is filled up with ``ignoredTarget``, which the loss must leave out.
public struct EvaluationWindows: Sendable, Sequence, IteratorProtocol {
    /// The target of positions that only fill up a window; the usual convention of losses.
    public static let ignoredTarget: Int32 = -100

    /// A piece of every row, row-major `[batch, time]`.
    public struct Window: Sendable, Equatable {
        /// The number of positions, at most the window length that was asked for.
        public var time: Int
        /// The tokens read, `[batch * time]`.
        public var inputs: [Int32]
        /// The tokens to be predicted, or ``EvaluationWindows/ignoredTarget``; `[batch * time]`.
        public var targets: [Int32]
        /// Whether a row's state must be the initial one, true in the first window only; `[batch]`.
        public var resets: [Bool]
        /// The number of tokens predicted: targets that count.
        public var predicted: Int
    }

    /// The number of rows.
    public let batch: Int
    /// The number of positions in all windows but the last.
    public let time: Int
    /// The number of tokens that all windows together predict.
    public var predictedCount: Int { targets.count }

    private let text: TokenText
    /// The positions of the tokens to be predicted.
    private let targets: Range<Int>
    private var position = 0

    /// Lays out a part of a text.
    ///
    /// - Parameters:
    ///   - text: The whole text; it is shared, not copied.
    ///   - range: The part to predict; `nil` is all of it. The token before it serves as the first input.
    ///   - batch: The number of rows; 1 measures with an unbroken state. Fewer are used for a very short part.
    ///   - time: The number of positions in a window.
    /// - Throws: `RondoError` with code `invalidArgument` if there is nothing to predict.
    public init(_ text: TokenText, in range: Range<Int>? = nil, batch: Int = 1, time: Int) throws {
        let range = range ?? 0..<text.count
        guard batch > 0, time > 0 else {
            throw RondoError(.invalidArgument, "batch \(batch) and time \(time) must both be at least 1")
        }
        guard range.lowerBound >= 0, range.upperBound <= text.count else {
            throw RondoError(.outOfRange, "evaluation: the range \(range) leaves the text of \(text.count) tokens")
        }
        targets = Swift.max(range.lowerBound, 1)..<Swift.max(range.upperBound, 1)
        guard !targets.isEmpty else {
            throw RondoError(
                .invalidArgument,
                "the text to evaluate has \(range.count) tokens, too few to predict any; give at least two")
        }
        self.text = text
        self.batch = Swift.min(batch, targets.count)
        self.time = time
    }

    /// Returns the next window, or `nil` at the end.
    public mutating func next() -> Window? {
        let longestRow = rowStart(1) - rowStart(0)
        guard position < longestRow else { return nil }
        let time = Swift.min(self.time, longestRow - position)
        var window = Window(
            time: time, inputs: [Int32](repeating: 0, count: batch * time),
            targets: [Int32](repeating: Self.ignoredTarget, count: batch * time),
            resets: [Bool](repeating: position == 0, count: batch), predicted: 0)
        for row in 0..<batch {
            let begin = rowStart(row) + position
            let end = Swift.min(begin + time, rowStart(row + 1))
            for (offset, target) in (begin..<end).enumerated() {
                window.inputs[row * time + offset] = text[target - 1]
                window.targets[row * time + offset] = text[target]
            }
            window.predicted += end - begin
        }
        position += time
        return window
    }

    /// The first target of a row; the first rows take one token more each until the remainder is used up.
    private func rowStart(_ row: Int) -> Int {
        let (length, remainder) = targets.count.quotientAndRemainder(dividingBy: batch)
        return targets.lowerBound + row * length + Swift.min(row, remainder)
    }
}
