import ArgumentParser
import RondoIO
import RondoTensor
import RondoTokenizers

/// `rondo tokenizer encode`.
struct TokenizerEncodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encode",
        abstract: "Turn a text into tokens.",
        discussion: """
            Example:
              rondo tokenizer encode --model tokenizer --text "Once upon a time"
              rondo tokenizer encode --model tokenizer --file book.txt --json
              rondo tokenizer encode --model tokenizer --jsonl

            With --jsonl every line of the input is a JSON string, and every line of the output a JSON list.
            """)

    @OptionGroup var tokenizer: TokenizerArguments
    @OptionGroup var input: TextArguments

    @Flag(help: "Add the tokens that mark beginnings and ends, as the tokenizer says.")
    var addSpecialTokens = false

    @Flag(help: "Take special tokens that are written out in the text for text.")
    var specialTokensAsText = false

    @Flag(help: "One text a line, as a JSON string.")
    var jsonl = false

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let tokenizer = try tokenizer.load()
        let options = EncodingOptions(
            addsSpecialTokens: addSpecialTokens, recognizesSpecialTokens: !specialTokensAsText)
        guard jsonl else {
            let tokens = tokenizer.encode(try input.bytes(), options: options).map(String.init)
            let text = tokens.joined(separator: global.json ? "," : " ")
            return try OutputStream.data.writeLine(global.json ? "[\(text)]" : text)
        }
        var writer = LineWriter()
        try input.forEachLine { line, number in
            let value = try JSONValue(parsing: line, source: "line \(number)")
            guard let text = value.stringValue else {
                throw RondoError(.invalidArgument, "line \(number): a JSON string is needed")
            }
            let tokens = tokenizer.encode(text, options: options).map(String.init)
            try writer.write("[\(tokens.joined(separator: ","))]")
        }
        try writer.flush()
    }
}

/// `rondo tokenizer decode`.
struct TokenizerDecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Turn tokens into text.",
        discussion: """
            Example:
              rondo tokenizer decode --model tokenizer --text "464 2068 7586"
              rondo tokenizer decode --model tokenizer --file tokens.txt
              rondo tokenizer decode --model tokenizer --jsonl

            Tokens are numbers with spaces, commas or line breaks between them. With --jsonl every line of the input \
            is a JSON list, and every line of the output a JSON string.
            """)

    @OptionGroup var tokenizer: TokenizerArguments
    @OptionGroup var input: TextArguments

    @Flag(help: "Leave special tokens out.")
    var skipSpecialTokens = false

    @Flag(help: "Decode token by token, as a text that is being generated.")
    var streaming = false

    @Flag(help: "One list of tokens a line, as JSON.")
    var jsonl = false

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let tokenizer = try tokenizer.load()
        guard jsonl else {
            let bytes = try decode(try Self.tokens(in: input.bytes()), tokenizer, keepsInvalidBytes: !global.json)
            guard global.json else { return try OutputStream.data.write(bytes) }
            return try OutputStream.data.writeLine(JSONValue.string(String(decoding: bytes, as: UTF8.self)).text())
        }
        var writer = LineWriter()
        try input.forEachLine { line, number in
            let value = try JSONValue(parsing: line, source: "line \(number)")
            let tokens = try value.arrayValue?.map { try Self.token($0.intValue, $0.text()) }
            guard let tokens else { throw RondoError(.invalidArgument, "line \(number): a JSON list is needed") }
            let bytes = try decode(tokens, tokenizer, keepsInvalidBytes: false)
            try writer.write(JSONValue.string(String(decoding: bytes, as: UTF8.self)).text())
        }
        try writer.flush()
    }

    private func decode(
        _ tokens: [Int32], _ tokenizer: PipelineTokenizer, keepsInvalidBytes: Bool
    ) throws -> [UInt8] {
        var detokenizer = StreamingDetokenizer(
            tokenizer, skippingSpecials: skipSpecialTokens, keepsInvalidBytes: keepsInvalidBytes)
        guard streaming else { return try detokenizer.append(contentsOf: tokens) + detokenizer.finish() }
        var bytes: [UInt8] = []
        for token in tokens { bytes += try detokenizer.append(token) }
        return bytes + detokenizer.finish()
    }

    private static func tokens(in bytes: [UInt8]) throws -> [Int32] {
        let separators = Set(" ,[]\t\r\n".utf8)
        return try bytes.split { separators.contains($0) }.map { digits in
            let text = String(decoding: digits, as: UTF8.self)
            return try token(Int(text), text)
        }
    }

    private static func token(_ number: Int?, _ text: String) throws -> Int32 {
        guard let token = number.flatMap(Int32.init(exactly:)) else {
            throw RondoError(.invalidArgument, "'\(text.prefix(40))' is not the number of a token")
        }
        return token
    }
}
