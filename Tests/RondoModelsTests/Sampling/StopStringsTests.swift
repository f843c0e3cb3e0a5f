import Foundation
import RondoModels
import RondoTensor
import Testing

@Suite struct StopStringsTests {
    /// What a filter passes on of a text that arrives in pieces of one length.
    private func filtered(_ text: [UInt8], _ stops: [[UInt8]], pieceLength: Int) throws -> (
        output: [UInt8], stopped: Bool
    ) {
        var filter = try StopStrings(stops)
        let longest = stops.map(\.count).max() ?? 1
        var output: [UInt8] = []
        for start in stride(from: 0, to: text.count, by: pieceLength) {
            output += filter.append(text[start..<min(start + pieceLength, text.count)])
            #expect(filter.pending.count < longest)
        }
        return (output + filter.finish(), filter.isStopped)
    }

    /// The same by searching the whole text: the earliest end wins, at one end the longest.
    private func searched(_ text: [UInt8], _ stops: [[UInt8]]) -> (output: [UInt8], stopped: Bool) {
        for end in 0...text.count {
            let found = stops.filter { $0.count <= end && Array(text[(end - $0.count)..<end]) == $0 }
            if let longest = found.map(\.count).max() { return (Array(text[..<(end - longest)]), true) }
        }
        return (text, false)
    }

    @Test func agreesWithASearchOfTheWholeText() throws {
        // Two letters and short strings make overlaps and false starts frequent.
        var generator = Generator(seed: 1)
        func letters(_ lengths: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: lengths, using: &generator)).map { _ in UInt8.random(in: 97...98, using: &generator) }
        }
        for _ in 0..<200 {
            let text = letters(33...33)
            let stops = (0..<Int.random(in: 1...3, using: &generator)).map { _ in letters(2...7) }
            let expected = searched(text, stops)
            for pieceLength in [1, 2, 3, 33] {
                let actual = try filtered(text, stops, pieceLength: pieceLength)
                #expect(actual == expected, "\(String(decoding: text, as: UTF8.self)), \(stops)")
            }
        }
    }

    @Test func whatCannotBeAStopStringIsNotKeptBack() throws {
        var filter = try StopStrings(["\n\nUser:"])
        #expect(filter.append(Array("Hello".utf8)) == Array("Hello".utf8))
        #expect(filter.append(Array("\n".utf8)) == [])
        #expect(filter.append(Array("you".utf8)) == Array("\nyou".utf8))
        #expect(filter.append(Array("\n\n\nUs".utf8)) == Array("\n".utf8))
        #expect(!filter.isStopped)
        #expect(filter.append(Array("er: more".utf8)) == [])
        #expect(filter.matched == Array("\n\nUser:".utf8))
        #expect(filter.append(Array("and more".utf8)) == [] && filter.finish() == [])
    }

    @Test func bytesThatAreNotTextPassUnchanged() throws {
        let bytes = [UInt8](0...255)
        var filter = try StopStrings([[0xFF, 0x00]])
        let output = filter.append(bytes)
        #expect(output + filter.finish() == bytes)
    }

    @Test func aSavedFilterContinues() throws {
        var filter = try StopStrings(["END", "no"])
        #expect(filter.append(Array("the EN".utf8)) == Array("the ".utf8))
        let saved = try JSONEncoder().encode(filter)
        var copy = try JSONDecoder().decode(StopStrings.self, from: saved)
        #expect(copy == filter)
        #expect(copy.append(Array("D".utf8)) == [] && copy.isStopped)
    }

    @Test func anEmptyStopStringIsRefused() {
        let error = #expect(throws: RondoError.self) { try StopStrings(["a", ""]) }
        #expect(error?.code == .invalidArgument)
    }
}
