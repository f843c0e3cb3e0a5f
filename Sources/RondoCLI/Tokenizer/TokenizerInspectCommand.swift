import ArgumentParser
import RondoIO
import RondoTokenizers

/// `rondo tokenizer inspect`.
struct TokenizerInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Say what a tokenizer is, and how it cuts a text.",
        discussion: """
            Example:
              rondo tokenizer inspect --model tokenizer
              rondo tokenizer inspect --model tokenizer --text "Once upon a time"
            """)

    @OptionGroup var tokenizer: TokenizerArguments

    @Option(help: ArgumentHelp("A text to cut.", valueName: "text"))
    var text: String?

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let tokenizer = try tokenizer.load()
        let tokens = text.map { tokenizer.encode($0) } ?? []
        guard !global.json else { return try OutputStream.data.writeLine(Self.json(tokenizer, tokens).text()) }
        var table = Table(columns: [("TOKEN", .right), ("TEXT", .left)])
        table.rows = tokens.map { ["\($0)", tokenizer.token($0) ?? ""] }
        try OutputStream.data.writeLine("vocabulary: \(tokenizer.vocabularySize)")
        for special in tokenizer.specialTokens {
            try OutputStream.data.writeLine("special: \(special.id) \(special.text)")
        }
        if text != nil { try OutputStream.data.writeLine(table.text()) }
    }

    private static func json(_ tokenizer: PipelineTokenizer, _ tokens: [Int32]) -> JSONValue {
        [
            "vocabulary_size": .integer(tokenizer.vocabularySize),
            "special_tokens": .array(
                tokenizer.specialTokens.map { ["id": .integer($0.id), "text": .string($0.text)] }),
            "tokens": .array(
                tokens.map { id in
                    ["id": .integer(id), "text": tokenizer.token(id).map { .string($0) } ?? .null]
                }),
        ]
    }
}
