/// A text and the pieces that it has been cut into so far.
struct Pieces {
    /// The text; it may hold more than the pieces show.
    var bytes: [UInt8]
    /// The pieces in order, none of them empty.
    var ranges: [Range<Int>]
    /// Whether the first piece is the beginning of the whole input.
    var startsInput: Bool
}

/// What becomes of the separators when a text is cut.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"
}

/// Collects pieces from segments, according to a behaviour.
struct PieceCollector {
    let behavior: SplitBehavior
    private(set) var ranges: [Range<Int>] = []
    /// A piece that may still grow, and whether the last segment was a separator.
    private var open: (start: Int, end: Int)?
    private var lastWasMatch = false

    init(_ behavior: SplitBehavior) { self.behavior = behavior }

    /// Takes the next segment.
    @inline(__always)
    mutating func add(_ start: Int, _ end: Int, isMatch: Bool) {
        switch behavior {
        case .isolated: append(start, end)
        case .removed: if !isMatch { append(start, end) }
        case .contiguous: extend(start, end, when: isMatch == lastWasMatch)
        case .mergedWithPrevious: extend(start, end, when: isMatch && !lastWasMatch)
        case .mergedWithNext: extend(start, end, when: !isMatch && lastWasMatch)
        }
        lastWasMatch = isMatch
    }

    /// Ends the text of one piece; what comes next begins a new one.
    @inline(__always)
    mutating func flush() {
        if let open { append(open.start, open.end) }
        open = nil
        lastWasMatch = false
    }

    private mutating func extend(_ start: Int, _ end: Int, when isContinuation: Bool) {
        if let current = open {
            if isContinuation {
                open = (current.start, end)
                return
            }
            append(current.start, current.end)
        }
        open = (start, end)
    }

    @inline(__always)
    private mutating func append(_ start: Int, _ end: Int) {
        if start < end { ranges.append(start..<end) }
    }
}
