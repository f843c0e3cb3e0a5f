import Foundation
import RondoData
import RondoTensor
import Testing

@Suite struct ContiguousStreamsTests {
    /// A text whose bytes tell their position modulo 251.
    private func numbered(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 % 251) } }

    @Test(arguments: [(1, 1), (1, 33), (3, 1), (3, 33), (7, 5)])
    func rowsAreContiguousAcrossWindows(batch: Int, time: Int) throws {
        let text = numbered(1000)
        var streams = try ContiguousStreams(TokenText(text), batch: batch, time: time, seed: 1)
        #expect(streams.windowsPerEpoch == 999 / (batch * time))
        var rows = [[Int32]](repeating: [], count: batch)
        for index in 0..<streams.windowsPerEpoch {
            let window = streams.nextWindow()
            #expect(window.resets == [Bool](repeating: index == 0, count: batch))
            for row in 0..<batch {
                let slice = row * time..<(row + 1) * time
                rows[row] += window.inputs[slice]
                // A target is the byte after its input.
                #expect(zip(window.inputs[slice], window.targets[slice]).allSatisfy { ($0 + 1) % 251 == $1 })
            }
        }
        // The rows follow each other in the text without gap or overlap.
        let all = rows.flatMap(\.self)
        #expect(all.count == streams.predictedPerEpoch)
        #expect(zip(all, all.dropFirst()).allSatisfy { ($0 + 1) % 251 == $1 })
    }

    @Test func noByteOutsideTheRangeIsUsed() throws {
        let text = [UInt8](repeating: 1, count: 50) + [UInt8](repeating: 2, count: 101) + [3, 3, 3]
        var streams = try ContiguousStreams(TokenText(text), in: 50..<151, batch: 3, time: 7, seed: 5)
        for _ in 0..<40 * streams.windowsPerEpoch {
            let window = streams.nextWindow()
            #expect((window.inputs + window.targets).allSatisfy { $0 == 2 })
        }
    }

    @Test func epochsBeginAnewAtAnotherOffsetUntilEveryByteWasUsed() throws {
        let text = numbered(100)
        var streams = try ContiguousStreams(TokenText(text), batch: 4, time: 8, seed: 9)
        var firsts: Set<Int32> = []
        var seen: Set<Int32> = []
        for epoch in 0..<200 {
            for index in 0..<streams.windowsPerEpoch {
                let window = streams.nextWindow()
                #expect(streams.cursor == .init(epoch: epoch, window: index + 1))
                if index == 0 { firsts.insert(window.inputs[0]) }
                seen.formUnion(window.targets)
            }
        }
        // 99 predictable bytes, 96 of them in an epoch: four offsets.
        #expect(firsts == [0, 1, 2, 3])
        #expect(seen == Set(1...99))
    }

    @Test func aRestoredCursorContinuesExactly() throws {
        let text = numbered(500)
        var original = try ContiguousStreams(TokenText(text), batch: 3, time: 11, seed: 4)
        for _ in 0..<3 * original.windowsPerEpoch + 2 {
            var copy = try ContiguousStreams(TokenText(text), batch: 3, time: 11, seed: 4)
            let saved = try JSONEncoder().encode(original.cursor)
            try copy.restore(try JSONDecoder().decode(ContiguousStreams.Cursor.self, from: saved))
            let expected = original.nextWindow()
            #expect(copy.nextWindow() == expected)
            #expect(copy.cursor == original.cursor)
        }
    }

    @Test func theSeedDecidesTheOffsets() throws {
        let text = numbered(1000)
        func firsts(_ seed: UInt64) throws -> [Int32] {
            var streams = try ContiguousStreams(TokenText(text), batch: 20, time: 40, seed: seed)
            return (0..<20).map { _ in streams.nextWindow().inputs[0] }
        }
        #expect(try firsts(1) == firsts(1))
        #expect(try firsts(1) != firsts(2))
    }

    @Test(arguments: [(100, 10, 10), (1, 1, 1), (0, 1, 1), (100, 0, 1), (100, 1, -1), (100, .max, 2)])
    func refusesWhatDoesNotFit(count: Int, batch: Int, time: Int) {
        let error = #expect(throws: RondoError.self) {
            try ContiguousStreams(TokenText(numbered(count)), batch: batch, time: time, seed: 0)
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("\(batch)") == true)
    }

    @Test func theShortestTextThatFitsIsAccepted() throws {
        var streams = try ContiguousStreams(TokenText(numbered(101)), batch: 10, time: 10, seed: 0)
        #expect(streams.windowsPerEpoch == 1)
        #expect(streams.nextWindow().targets == (1...100).map(Int32.init))
    }

    @Test(arguments: [(-1, 0), (0, -1), (0, 4)]) func refusesForeignCursors(epoch: Int, window: Int) throws {
        var streams = try ContiguousStreams(TokenText(numbered(100)), batch: 3, time: 11, seed: 0)
        #expect(streams.windowsPerEpoch == 3)
        let before = streams.cursor
        let error = #expect(throws: RondoError.self) { try streams.restore(.init(epoch: epoch, window: window)) }
        #expect(error?.code == .outOfRange)
        #expect(streams.cursor == before)
    }
}

@Suite struct EvaluationWindowsTests {
    @Test(arguments: [1, 2, 3, 7, 100, 1000], [1, 5, 33, 100])
    func everyByteIsPredictedExactlyOnce(batch: Int, time: Int) throws {
        let text = (0..<200).map(UInt8.init)
        for range in [0..<200, 63..<200, 199..<200, 0..<2] {
            let windows = try EvaluationWindows(TokenText(text), in: range, batch: batch, time: time)
            var predicted: [Int32] = []
            for window in windows {
                #expect(window.inputs.count == windows.batch * window.time)
                #expect((1...time).contains(window.time))
                let counted = window.targets.filter { $0 != EvaluationWindows.ignoredTarget }
                #expect(counted.count == window.predicted)
                predicted += counted
                for (input, target) in zip(window.inputs, window.targets)
                where target != EvaluationWindows.ignoredTarget {
                    #expect(input + 1 == target)
                }
            }
            #expect(predicted.sorted() == range.filter { $0 > 0 }.map(Int32.init))
            #expect(windows.predictedCount == predicted.count)
        }
    }

    @Test func rowsAreContiguousAndOnlyTheirEndsAreFilledUp() throws {
        let text = (0..<24).map(UInt8.init)
        let windows = Array(try EvaluationWindows(TokenText(text), batch: 3, time: 5))
        #expect(windows.map(\.time) == [5, 3])
        #expect(windows.map(\.predicted) == [15, 8])
        #expect(windows.map(\.resets) == [[true, true, true], [false, false, false]])
        #expect(windows[1].targets == [6, 7, 8, 14, 15, 16, 22, 23, -100])
    }

    @Test(arguments: [0..<0, 0..<1, 5..<5]) func refusesWhenThereIsNothingToPredict(range: Range<Int>) {
        let error = #expect(throws: RondoError.self) {
            try EvaluationWindows(TokenText([UInt8](repeating: 0, count: 10)), in: range, time: 4)
        }
        #expect(error?.code == .invalidArgument)
    }
}
