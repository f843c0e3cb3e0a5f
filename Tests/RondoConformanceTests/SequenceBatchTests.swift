import RondoTensor
import RondoTestSupport
import Testing

@testable import RondoMixers

@Suite struct SequenceBatchTests {
    /// Counts positions, and remembers which rows were read together.
    private struct Counter: RowState {
        var positions: [Int]

        func selectingRows(_ rows: [Int]) -> Counter { Counter(positions: rows.map { positions[$0] }) }

        mutating func replaceRows(_ rows: [Int], with other: Counter) {
            for (place, row) in rows.enumerated() { positions[row] = other.positions[place] }
        }
    }

    private static func values(_ batch: Int, _ time: Int) throws -> Tensor {
        try Tensor.range(batch * time, dtype: .float32).reshaped([batch, time, 1])
    }

    /// Reads a batch with a mixer that gives back input plus position; returns also the calls' shapes.
    private func read(
        _ batch: SequenceBatch, _ counter: inout Counter, needsEqualPositions: Bool = false
    ) throws -> (outputs: [Float], calls: [[Int]]) {
        var calls: [[Int]] = []
        let outputs = try batch.read(
            state: &counter, needsEqualPositions: needsEqualPositions,
            initial: { Counter(positions: Array(repeating: 0, count: $0)) },
            { x, state in
                calls.append(Array(x.shape.prefix(2)))
                let first = try Tensor(state.positions.map { Float($0) }, shape: [x.shape[0], 1, 1])
                let places = try Tensor.range(x.shape[1], dtype: .float32).reshaped([1, -1, 1])
                state.positions = state.positions.map { $0 + x.shape[1] }
                return try x * 100 + first + places
            })
        return (try outputs.array(of: Float.self), calls)
    }

    @Test func withoutRangesAndDocumentsThereIsOneInterval() throws {
        let batch = try SequenceBatch(Self.values(2, 3))
        #expect(batch.intervals == [.init(times: 0..<3, rows: [0, 1], starts: [])])
        var counter = Counter(positions: [0, 4])
        let (outputs, calls) = try read(batch, &counter)
        #expect(outputs == [0, 101, 202, 304, 405, 506] && calls == [[2, 3]] && counter.positions == [3, 7])
    }

    @Test func intervalsEndWhereAnyRowChanges() throws {
        let batch = try SequenceBatch(
            Self.values(3, 6), validRanges: [0..<4, 2..<6, 3..<3], documentStarts: [[1], [], [5]])
        #expect(
            batch.intervals == [
                .init(times: 0..<1, rows: [0], starts: []), .init(times: 1..<2, rows: [0], starts: [0]),
                .init(times: 2..<4, rows: [0, 1], starts: []), .init(times: 4..<6, rows: [1], starts: []),
            ])
    }

    @Test func paddingIsZeroAndLeavesStatesAlone() throws {
        var counter = Counter(positions: [2, 7, 9])
        let batch = try SequenceBatch(Self.values(3, 3), validRanges: [0..<2, 1..<3, 2..<2])
        let (outputs, _) = try read(batch, &counter)
        #expect(outputs == [2, 103, 0, 0, 407, 508, 0, 0, 0])
        #expect(counter.positions == [4, 9, 9])
    }

    @Test func documentsBeginAnewInTheirRowOnly() throws {
        var counter = Counter(positions: [5, 5])
        let batch = try SequenceBatch(Self.values(2, 3), documentStarts: [[0, 2], []])
        let (outputs, _) = try read(batch, &counter)
        #expect(outputs == [0, 101, 200, 305, 406, 507] && counter.positions == [1, 8])
    }

    @Test func startsInPaddingDoNotCount() throws {
        var counter = Counter(positions: [5])
        let batch = try SequenceBatch(Self.values(1, 4), validRanges: [0..<2], documentStarts: [[3]])
        #expect(try read(batch, &counter).calls == [[1, 2]] && counter.positions == [7])
    }

    @Test func rowsOfUnequalPositionsAreReadApartOnRequest() throws {
        var counter = Counter(positions: [3, 0, 3])
        let batch = try SequenceBatch(Self.values(3, 2))
        let (outputs, calls) = try read(batch, &counter, needsEqualPositions: true)
        #expect(outputs == [3, 104, 200, 301, 403, 504])
        #expect(calls == [[1, 2], [2, 2]] && counter.positions == [5, 2, 5])
    }

    @Test func emptyBatchesAreRead() throws {
        var counter = Counter(positions: [3, 4])
        let nothing = try read(SequenceBatch(Tensor.zeros([2, 0, 1])), &counter)
        #expect(nothing.outputs.isEmpty && counter.positions == [3, 4])
        let padding = try SequenceBatch(Self.values(2, 2), validRanges: [0..<0, 1..<1])
        let result = try read(padding, &counter)
        #expect(result.calls.isEmpty && counter.positions == [3, 4])
    }

    @Test func wrongInputIsRefused() throws {
        let values = try Self.values(2, 3)
        let wrong: [() throws -> SequenceBatch] = [
            { try SequenceBatch(values, validRanges: [0..<3]) },
            { try SequenceBatch(values, validRanges: [0..<3, 0..<4]) },
            { try SequenceBatch(values, validRanges: [0..<3, -1..<2]) },
            { try SequenceBatch(values, documentStarts: [[]]) },
            { try SequenceBatch(values, documentStarts: [[], [3]]) },
            { try SequenceBatch(values, documentStarts: [[1, 1], []]) },
            { try SequenceBatch(values, documentStarts: [[2, 1], []]) },
        ]
        for (index, make) in wrong.enumerated() {
            #expect(try rondoError { _ = try make() }.code == .outOfRange, "case \(index)")
        }
        #expect(try rondoError { _ = try SequenceBatch(Tensor.zeros([3])) }.code == .shapeMismatch)
        var counter = Counter(positions: [0])
        #expect(try rondoError { _ = try read(SequenceBatch(values), &counter) }.code == .shapeMismatch)
    }
}
