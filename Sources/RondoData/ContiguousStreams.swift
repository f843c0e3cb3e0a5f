import RondoTensor

/// Parallel contiguous streams over a text, for truncated backpropagation with carried state.
///
/// The text is laid out as `batch` rows, each a contiguous piece. A window is the next `time` tokens of every row, so
/// that the state after one window is the right state to begin the next with. After the last whole window of an epoch
/// the rows begin anew and every row asks for its state to be reset. What does not fill a whole window (less than
/// `batch * time` tokens) is left out of an epoch; a random offset, drawn anew for every epoch from the seed, decides
/// at which ends of the text, so that over the epochs every token is used and the borders of the rows move.
public struct ContiguousStreams: Sendable {
    /// One training step's worth of text, row-major `[batch, time]`.
    public struct Window: Sendable, Equatable {
        /// The tokens read, `[batch * time]`.
        public var inputs: [Int32]
        /// The tokens to be predicted: each input's successor, `[batch * time]`.
        public var targets: [Int32]
        /// Whether a row begins a new piece of text, so that its state must be the initial one; `[batch]`.
        public var resets: [Bool]
    }

    /// A position between two windows; restoring it continues with exactly the windows that would have come.
    public struct Cursor: Sendable, Codable, Hashable {
        /// The number of finished passes over the text.
        public var epoch: Int
        /// The number of windows already taken in this epoch.
        public var window: Int

        /// Creates a position; the default is the beginning.
        public init(epoch: Int = 0, window: Int = 0) {
            self.epoch = epoch
            self.window = window
        }
    }

    /// The number of rows.
    public let batch: Int
    /// The number of positions in a window.
    public let time: Int
    /// The number of windows in an epoch.
    public let windowsPerEpoch: Int
    /// Where the next window begins.
    public private(set) var cursor = Cursor()

    /// The stream of the first epoch's draw; keeps them apart from others made with the same seed.
    private static let offsetStream: UInt64 = 0x6F66_6673_6574

    private let text: TokenText
    private let range: Range<Int>
    private let seed: UInt64
    /// Where the first row begins in this epoch.
    private var start: Int

    /// Lays out a part of a text.
    ///
    /// - Parameters:
    ///   - text: The whole text; it is shared, not copied.
    ///   - range: The part to draw from; `nil` is all of it. No token outside is read or predicted.
    ///   - batch: The number of rows.
    ///   - time: The number of positions in a window.
    ///   - seed: Decides the offset of every epoch.
    /// - Throws: `RondoError` with code `invalidArgument` if the part is too short for one window.
    public init(_ text: TokenText, in range: Range<Int>? = nil, batch: Int, time: Int, seed: UInt64) throws {
        let range = range ?? 0..<text.count
        guard batch > 0, time > 0 else {
            throw RondoError(.invalidArgument, "batch \(batch) and time \(time) must both be at least 1")
        }
        guard range.lowerBound >= 0, range.upperBound <= text.count else {
            throw RondoError(.outOfRange, "streams: the range \(range) leaves the text of \(text.count) tokens")
        }
        // Predicting n tokens takes n + 1: the first has no predecessor.
        let (needed, overflow) = batch.multipliedReportingOverflow(by: time)
        guard !overflow, range.count > needed else {
            throw RondoError(
                .invalidArgument,
                "the training text has \(range.count) tokens, too few for batch \(batch) and windows of \(time): that "
                    + "takes more than \(overflow ? "is possible" : String(needed)); give a longer text, a smaller "
                    + "batch or shorter windows")
        }
        self.batch = batch
        self.time = time
        self.text = text
        self.range = range
        self.seed = seed
        windowsPerEpoch = (range.count - 1) / needed
        start = range.lowerBound
        start = self.start(ofEpoch: 0)
    }

    /// The number of tokens predicted in an epoch.
    public var predictedPerEpoch: Int { windowsPerEpoch * batch * time }

    /// Returns the next window, beginning the next epoch after the last.
    public mutating func nextWindow() -> Window {
        if cursor.window == windowsPerEpoch { move(to: Cursor(epoch: cursor.epoch + 1)) }
        let rowLength = windowsPerEpoch * time
        let first = start + cursor.window * time
        let window = Window(
            inputs: gather(from: first, stride: rowLength), targets: gather(from: first + 1, stride: rowLength),
            resets: [Bool](repeating: cursor.window == 0, count: batch))
        cursor.window += 1
        return window
    }

    /// Continues from a saved position.
    ///
    /// - Throws: `RondoError` with code `outOfRange` if the position cannot come from these streams.
    public mutating func restore(_ cursor: Cursor) throws {
        guard cursor.epoch >= 0, (0...windowsPerEpoch).contains(cursor.window) else {
            throw RondoError(
                .outOfRange,
                "streams: epoch \(cursor.epoch), window \(cursor.window) is no position in a text of "
                    + "\(windowsPerEpoch) windows an epoch; was it saved with another text, batch or window length?")
        }
        move(to: cursor)
    }

    private mutating func move(to cursor: Cursor) {
        self.cursor = cursor
        start = start(ofEpoch: cursor.epoch)
    }

    private func gather(from first: Int, stride rowLength: Int) -> [Int32] {
        [Int32](unsafeUninitializedCapacity: batch * time) { tokens, count in
            for row in 0..<batch {
                for position in 0..<time {
                    tokens[row * time + position] = text[first + row * rowLength + position]
                }
            }
            count = batch * time
        }
    }

    private func start(ofEpoch epoch: Int) -> Int {
        let slack = range.count - 1 - predictedPerEpoch
        var generator = Generator(seed: seed, stream: Self.offsetStream &+ UInt64(epoch))
        return range.lowerBound + Int(generator.next().multipliedFullWidth(by: UInt64(slack + 1)).high)
    }
}
