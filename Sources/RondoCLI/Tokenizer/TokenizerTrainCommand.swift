import ArgumentParser
import RondoIO
import RondoTensor
import RondoTokenizers

/// `rondo tokenizer train`.
struct TokenizerTrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Learn a byte-level vocabulary from texts (byte-pair encoding).",
        discussion: """
            Example:
              rondo tokenizer train book.txt --vocab-size 4096 --out tokenizer
              rondo tokenizer train a.txt b.txt --vocab-size 8192 --out t

            The result is a folder with a tokenizer.json that other programs read as well. The same texts and options \
            give the same file.
            """)

    @Argument(help: ArgumentHelp("Files with text; - is standard input.", valueName: "file"), completion: .file())
    var files: [String]

    @Option(help: ArgumentHelp("The number of tokens, with 256 bytes and the special ones.", valueName: "n"))
    var vocabSize: Int

    @Option(help: ArgumentHelp("The folder to write.", valueName: "dir"), completion: .directory)
    var out: String

    @Option(help: ArgumentHelp("How often a pair must occur to be merged.", valueName: "n"))
    var minFrequency = 2

    @Option(help: ArgumentHelp("A special token; may be repeated (default: <|endoftext|>).", valueName: "text"))
    var specialToken: [String] = []

    @Option(help: "How texts are cut into words.")
    var splitting = BytePairTrainer.Splitting.gpt2

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let console = global.console
        let specials = specialToken.isEmpty ? ["<|endoftext|>"] : specialToken
        var trainer = try BytePairTrainer(
            BytePairTrainer.Options(
                vocabularySize: vocabSize, minimumFrequency: minFrequency, specialTokens: specials, splitting: splitting
            ))
        let path = FileSystem.join(out, TextTokenizer.fileName)
        guard FileSystem.kind(of: path) == nil else {
            throw RondoError(.conflict, "\(path) exists; choose another --out or remove it")
        }
        for file in files {
            console.showProgress("reading \(file)")
            trainer.add(try FileSystem.readBytes(file == "-" ? "/dev/stdin" : file))
        }
        let document = try trainer.train { progress in
            if progress.tokens % 64 == 0 {
                console.showProgress("\(progress.tokens) of \(progress.vocabularySize) tokens")
            }
        }
        let tokenizer = try PipelineTokenizer(document, source: path)
        try FileSystem.makeFolder(out)
        try AtomicFile.write(document.text(.pretty) + "\n", to: path)
        console.clearProgress()
        if tokenizer.vocabularySize < vocabSize {
            console.warn("the texts have only \(tokenizer.vocabularySize) tokens that occur \(minFrequency) times.")
        }
        console.note("\(path): \(tokenizer.vocabularySize) tokens")
        if global.json {
            let result: JSONValue = ["path": .string(path), "tokens": .integer(tokenizer.vocabularySize)]
            try OutputStream.data.writeLine(result.text())
        }
    }
}
