public import RondoTensor

/// A state made of rows that can be taken out and put back.
public protocol RowState: Sendable {
    /// How many positions each row has read since its beginning.
    var positions: [Int] { get }

    /// The state of some rows, in this order.
    func selectingRows(_ rows: [Int]) throws -> Self

    /// Puts the rows of another state in the place of some of this one's.
    mutating func replaceRows(_ rows: [Int], with other: Self) throws
}

/// Rows of sequences side by side that may begin late, end early, and hold several documents one after the other.
///
/// Every row has a range of valid positions; what lies outside is padding, which changes no state and no other
/// position. At a document start the row's state begins anew. Each valid part gives what it would give alone.
public struct SequenceBatch: Sendable {
    /// What is read: `[batch, time, ...]`, vectors or int32 tokens.
    public var values: Tensor
    /// The positions of each row that are read.
    public var validRanges: [Range<Int>]
    /// The positions of each row, in order, at which a document begins; a row that begins without one goes on with its
    /// state.
    public var documentStarts: [[Int]]

    /// Creates a batch.
    ///
    /// - Parameters:
    ///   - values: `[batch, time, ...]`.
    ///   - validRanges: The valid positions of each row; all if `nil`.
    ///   - documentStarts: Where documents begin in each row; nowhere if `nil`.
    /// - Throws: `RondoError` if a range or a start lies outside, or starts are not in order.
    public init(_ values: Tensor, validRanges: [Range<Int>]? = nil, documentStarts: [[Int]]? = nil) throws {
        guard values.rank >= 2 else {
            throw RondoError(.shapeMismatch, "sequence batch: values must be [batch, time, ...]; got \(values.shape)")
        }
        let (batch, time) = (values.shape[0], values.shape[1])
        self.values = values
        self.validRanges = validRanges ?? Array(repeating: 0..<time, count: batch)
        self.documentStarts = documentStarts ?? Array(repeating: [], count: batch)
        guard self.validRanges.count == batch,
            self.validRanges.allSatisfy({ $0.lowerBound >= 0 && $0.upperBound <= time })
        else {
            throw RondoError(
                .outOfRange, "sequence batch: \(batch) rows of \(time) positions have valid ranges \(self.validRanges)")
        }
        guard self.documentStarts.count == batch,
            self.documentStarts.allSatisfy({
                zip($0, $0.dropFirst()).allSatisfy(<) && $0.allSatisfy((0..<time).contains)
            })
        else {
            throw RondoError(
                .outOfRange,
                "sequence batch: \(batch) rows of \(time) positions have document starts \(self.documentStarts), which "
                    + "must lie inside and rise")
        }
    }

    /// Rows and times between two neighbouring places where some row begins, ends or starts a document.
    struct Interval: Equatable {
        var times: Range<Int>
        /// The rows that are valid there.
        var rows: [Int]
        /// Those of them that start a document.
        var starts: [Int]
    }

    /// The pieces in which rows can be read side by side.
    var intervals: [Interval] {
        let (batch, time) = (values.shape[0], values.shape[1])
        var cuts: Set<Int> = [0, time]
        for row in 0..<batch where !validRanges[row].isEmpty {
            cuts.formUnion([validRanges[row].lowerBound, validRanges[row].upperBound])
            cuts.formUnion(documentStarts[row].filter(validRanges[row].contains))
        }
        let sorted = cuts.sorted()
        return zip(sorted, sorted.dropFirst()).map { start, end in
            let rows = (0..<batch).filter { validRanges[$0].contains(start) }
            return Interval(times: start..<end, rows: rows, starts: rows.filter { documentStarts[$0].contains(start) })
        }
    }

    /// Reads the batch.
    ///
    /// - Parameters:
    ///   - state: The state of every row before; becomes the one after.
    ///   - needsEqualPositions: Whether rows in one call must have read equally many positions.
    ///   - initial: The state of a number of rows at their beginning.
    ///   - body: Reads `[rows, positions, ...]` with their states.
    /// - Returns: What `body` returns, `[batch, time, ...]`, with zeros where nothing is valid.
    /// - Throws: `RondoError`, or what `body` throws.
    public func read<State: RowState>(
        state: inout State, needsEqualPositions: Bool, initial: (Int) throws -> State,
        _ body: (Tensor, inout State) throws -> Tensor
    ) throws -> Tensor {
        guard state.positions.count == values.shape[0] else {
            throw RondoError(
                .shapeMismatch,
                "sequence batch: \(values.shape[0]) rows need as many states, got \(state.positions.count)")
        }
        var pieces: [Tensor] = []
        for interval in intervals {
            if !interval.starts.isEmpty { try state.replaceRows(interval.starts, with: initial(interval.starts.count)) }
            let groups = needsEqualPositions ? Self.grouped(interval.rows, by: state.positions) : [interval.rows]
            pieces.append(try read(interval.times, groups, state: &state, body))
        }
        guard let first = pieces.first(where: { $0.count > 0 }) ?? pieces.first else {
            return try body(values, &state)  // no time at all
        }
        let whole = try pieces.map { try $0.count > 0 ? $0 : Self.zeros(like: first, time: $0.shape[1]) }
        return try whole.count == 1 ? whole[0] : Tensor.concatenate(whole, axis: 1)
    }

    /// One interval; an empty tensor `[0, time]` if no row is valid.
    private func read<State: RowState>(
        _ times: Range<Int>, _ groups: [[Int]], state: inout State, _ body: (Tensor, inout State) throws -> Tensor
    ) throws -> Tensor {
        let (batch, piece) = (values.shape[0], try values.sliced(1, times))
        if groups.count == 1, groups[0].count == batch { return try body(piece, &state) }
        var outputs: [Tensor] = []
        for rows in groups where !rows.isEmpty {
            var part = try state.selectingRows(rows)
            outputs.append(try body(piece.takingRows(Tensor(rows.map { Int32($0) })), &part))
            try state.replaceRows(rows, with: part)
        }
        guard let first = outputs.first else { return try Tensor.zeros([0, times.count]) }
        // Rows return to their places; the others get a row of zeros.
        let order = groups.joined().enumerated().reduce(into: [Int: Int]()) { $0[$1.element] = $1.offset }
        let zero = try Tensor.zeros([1] + first.shape.dropFirst(), dtype: first.dtype)
        let all = try Tensor.concatenate(outputs + [zero])
        return try all.takingRows(Tensor((0..<batch).map { Int32(order[$0] ?? all.shape[0] - 1) }))
    }

    private static func grouped(_ rows: [Int], by positions: [Int]) -> [[Int]] {
        Dictionary(grouping: rows) { positions[$0] }.sorted { $0.key < $1.key }.map(\.value)
    }

    private static func zeros(like tensor: Tensor, time: Int) throws -> Tensor {
        var shape = tensor.shape
        shape[1] = time
        return try Tensor.zeros(shape, dtype: tensor.dtype)
    }
}

extension SequenceMixer {
    /// Reads a batch with padding and documents: each valid part gives what it would give alone.
    ///
    /// - Parameters:
    ///   - batch: The sequences.
    ///   - state: The state of every row before; becomes the one after.
    /// - Returns: `[batch, time, dModel]`, zero at padding.
    /// - Throws: `RondoError` when shapes do not fit.
    public func callAsFunction(_ batch: SequenceBatch, state: inout MixerState) throws -> Tensor {
        try batch.read(
            state: &state, needsEqualPositions: Self.card.needsEqualPositions, initial: initialState(batch:),
            chunk(_:state:))
    }
}
