import ArgumentParser
import RondoIO
import RondoTensor
import RondoTokenizers

/// `rondo tokenizer`.
struct TokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer",
        abstract: "Train tokenizers, and turn texts into tokens and back.",
        discussion: """
            Example:
              rondo tokenizer train book.txt --vocab-size 4096 --out tokenizer
              rondo tokenizer encode --model tokenizer --text "Once upon a time"

            A tokenizer is a tokenizer.json in the format of Hugging Face, of any program.
            """,
        subcommands: [
            TokenizerTrainCommand.self, TokenizerEncodeCommand.self, TokenizerDecodeCommand.self,
            TokenizerInspectCommand.self,
        ])
}

/// Which tokenizer a command uses.
struct TokenizerArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp("A folder with a tokenizer.json, or such a file.", valueName: "path"), completion: .file())
    var model: String

    func load() throws -> PipelineTokenizer {
        let isFolder = FileSystem.kind(of: model) == .folder
        return try PipelineTokenizer(
            contentsOf: isFolder ? FileSystem.join(model, TextTokenizer.fileName) : model)
    }
}

/// Where a command's input comes from.
struct TextArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The input itself.", valueName: "text"))
    var text: String?

    @Option(
        help: ArgumentHelp("A file with the input (default: standard input).", valueName: "file"), completion: .file())
    var file: String?

    mutating func validate() throws {
        if text != nil && file != nil { throw ValidationError("--text and --file exclude each other.") }
    }

    func bytes() throws -> [UInt8] {
        if let text { return Array(text.utf8) }
        // Through /dev/stdin, standard input is read like any file.
        return try FileSystem.readBytes(file == nil || file == "-" ? "/dev/stdin" : file ?? "")
    }

    /// Calls `body` for every line, which ends with a line feed only; standard input is read line by line.
    func forEachLine(_ body: (_ line: String, _ number: Int) throws -> Void) throws {
        if text == nil, file == nil || file == "-" {
            var number = 1
            while let line = readLine() {
                try body(line, number)
                number += 1
            }
            return
        }
        var lines = try bytes().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        for (index, line) in lines.enumerated() { try body(String(decoding: line, as: UTF8.self), index + 1) }
    }
}

/// Collects lines, so that a million of them are not a million calls.
struct LineWriter {
    private static let size = 1 << 16

    private var bytes: [UInt8] = []

    /// Writes a line, sooner or later.
    mutating func write(_ line: String) throws {
        bytes += line.utf8
        bytes.append(UInt8(ascii: "\n"))
        if bytes.count >= Self.size { try flush() }
    }

    /// Writes what is left.
    mutating func flush() throws {
        try OutputStream.data.write(bytes)
        bytes.removeAll(keepingCapacity: true)
    }
}
