import ArgumentParser
import RondoCheckpoints
import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain

/// `rondo quantize`.
struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Write a model with smaller weights, and say what that costs.",
        discussion: """
            Example:
              rondo quantize --model mamba-hf --to int8 --out mamba-int8 --text book.txt
              rondo generate --model mamba-int8 --prompt "It was"

            Matrices become bfloat16, or integers of 8 or 4 bits with a scale for every 32 columns; A, norms, offsets and
            the maps to step sizes, decays and gates stay float32. With --text, the bits per byte of both models on it \
            are printed.
            """)

    /// What the matrices become.
    enum Target: String, ExpressibleByArgument, CaseIterable {
        case bfloat16, float16, int8, int4

        var dtype: DType {
            switch self {
            case .bfloat16: .bfloat16
            case .float16: .float16
            case .int8: .quantized8
            case .int4: .quantized4
            }
        }
    }

    @Option(
        help: ArgumentHelp(
            "A run, a checkpoint or a Hugging Face folder (default: the last run in runs/).", valueName: "dir"),
        completion: .directory)
    var model: String?

    @Option(help: "What the matrices become.")
    var to: Target

    @Option(help: ArgumentHelp("The folder to create.", valueName: "dir"), completion: .directory)
    var out: String

    @Flag(help: "Also the maps to step sizes, decays and gates.")
    var allMatrices = false

    @Option(
        help: ArgumentHelp("A text to measure both models on; may be repeated.", valueName: "path"),
        completion: .file())
    var text: [String] = []

    @Option(help: ArgumentHelp("At most so many bytes of it.", valueName: "n"))
    var limitBytes = 65_536

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        guard limitBytes >= 2 else { throw ValidationError("--limit-bytes \(limitBytes): must be at least 2.") }
    }

    func run() throws {
        Interruption.listen()
        compute.apply()
        let loaded = try RunLocator.loadModel(model)
        let small = try loaded.model.storingMatrices(as: to.dtype, includesDynamics: allMatrices)
        let (before, after) = (Self.byteCount(loaded.model), Self.byteCount(small))
        var result: [(key: String, value: JSONValue)] = [
            ("out", .string(out)), ("bytes_before", .integer(before)), ("bytes_after", .integer(after)),
        ]
        if !text.isEmpty {
            let measured = try [loaded.model, small].map { try bitsPerByte($0, folder: loaded.folder) }
            result += [
                ("bits_per_byte_before", .real(measured[0])), ("bits_per_byte_after", .real(measured[1])),
                ("change", .real(measured[1] - measured[0])),
            ]
        }
        try AtomicDirectory.publish(to: out) { folder in
            try small.write(to: folder)
            try ModelConversion.copyCompanions(from: loaded.folder, to: folder)
        }
        try report(result)
    }

    private static func byteCount(_ model: LanguageModel) -> Int {
        model.parameters.tensors.reduce(0) { $0 + $1.byteCount }
    }

    private func bitsPerByte(_ model: LanguageModel, folder: String) throws -> Double {
        let tokenizer = try ModelText(folder: folder, vocabSize: model.configuration.vocabSize).encoder
        let corpus = Corpus(bytes: Array(try Corpus.load(text).bytes.prefix(limitBytes)))
        let tokens = try TokenizedCorpus(corpus, tokenizer: tokenizer, validationFraction: 0)
        let console = global.console
        let result = try Evaluator.evaluate(
            model, on: tokens.text, bytesPerToken: tokens.trainingBytesPerToken
        ) { done, total in
            console.showProgress(
                "Measuring \(model.embedding.weight.dtype.rawValue): \(Format.percent(Double(done) / Double(total)))")
            return !Interruption.isRequested
        }
        console.clearProgress()
        if Interruption.isRequested { throw Interruption.exitStatus }
        return result.bitsPerByte
    }

    private func report(_ result: [(key: String, value: JSONValue)]) throws {
        guard !global.json else {
            var object = JSONObject()
            for (key, value) in result { object[key] = value }
            return try OutputStream.data.writeLine(JSONValue.object(object).text())
        }
        let width = result.map(\.key.count).max() ?? 0
        for (key, value) in result {
            let shown =
                value.doubleValue.map { key.hasPrefix("bytes") ? Format.bytes(Int($0)) : Format.decimals($0, 4) }
                ?? value.stringValue ?? value.text()
            try OutputStream.data.writeLine(key + String(repeating: " ", count: width - key.count + 2) + shown)
        }
    }
}
