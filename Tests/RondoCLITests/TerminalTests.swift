import ArgumentParser
import Testing

@testable import RondoCLI

@Suite struct TerminalTests {
    @Test(arguments: [(0.0, "0"), (0.00031, "3.1e-4"), (-0.0996, "-1.0e-1"), (9.96e7, "1.0e8"), (2.5, "2.5e0")])
    func scientific(value: Double, expected: String) {
        #expect(Format.scientific(value) == expected)
    }

    @Test(arguments: [
        (2.0417, 2, "2.04"), (0.005, 2, "0.01"), (-0.001, 2, "0.00"), (-1.5, 1, "-1.5"), (12, 0, "12"),
        (0.05, 3, "0.050"),
        (.infinity, 2, "inf"), (1e20, 2, "1e+20"),
    ]) func decimals(value: Double, places: Int, expected: String) {
        #expect(Format.decimals(value, places) == expected)
    }

    @Test func countsSizesAndTimes() {
        #expect(Format.count(999) == "999")
        #expect(Format.count(12_345) == "12.3k")
        #expect(Format.bytes(2_097_152) == "2.00 MiB")
        #expect(Format.duration(3.14) == "3.1 s")
        #expect(Format.duration(185) == "3 min 05 s")
        #expect(Format.duration(7620) == "2 h 07 min")
        #expect(Format.duration(.nan) == "?")
    }

    @Test func tablesAlignAndFitTheTerminal() {
        var table = Table(columns: [("NAME", .left), ("STEP", .right)])
        table.rows = [["a", "1"], ["longer", "1000"]]
        #expect(table.text() == "NAME    STEP\na          1\nlonger  1000")
        #expect(table.text(width: 8).split(separator: "\n").allSatisfy { $0.count <= 8 })
    }

    @Test func aMistypedCommandGetsASuggestion() throws {
        #expect(try RondoTool.commandPath(of: ["runs", "list", "--json"]) == ["runs", "list"])
        #expect(try RondoTool.commandPath(of: ["--help"]).isEmpty)
        #expect(throws: (any Error).self) { try RondoTool.commandPath(of: ["runs", "lst"]) }
    }

    @Test func runsAreNamedAfterTextAndModel() throws {
        let named = { (text: [String]) throws -> String in
            try TrainCommand.name(for: TrainCommand.parse(text).resolvedConfiguration(environment: .init([:])))
        }
        #expect(try named(["--text", "/a/My book.txt", "--mixer", "gru"]) == "My-book-gru256")
        #expect(try named(["--text", "-"]) == "text-lstm256")
    }
}
