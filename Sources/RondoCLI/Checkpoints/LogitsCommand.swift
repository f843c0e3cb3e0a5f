import ArgumentParser
import RondoCheckpoints
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor

/// `rondo logits`.
struct LogitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logits",
        abstract: "Write the scores that a model gives to lists of tokens, in any of its forms.",
        discussion: """
            Example:
              rondo logits --model DIR --ids i.json --out logits.safetensors
              rondo logits --model DIR --ids i.json --out s.safetensors --form step
              rondo logits --model DIR --ids i.json --out p.st --form chunk --cuts 5,17

            i.json holds a list of tokens, or several of different lengths: [[1, 2, 3], [4]]. The file that is \
            written holds 'logits' [rows, longest, vocabulary], zero after the end of shorter rows, and 'lengths'. \
            Compare it with those of any other program.
            """)

    /// How the tokens are read.
    enum Form: String, ExpressibleByArgument, CaseIterable {
        case parallel, chunk, step
        case leftPadded = "left-padded"
        case rightPadded = "right-padded"
    }

    @Option(help: ArgumentHelp("The folder of a model or a run.", valueName: "dir"), completion: .directory)
    var model: String

    @Option(
        help: ArgumentHelp(
            "Small additions to the model (LoRA in PEFT's layout, or a learned state).", valueName: "dir"),
        completion: .directory)
    var adapter: String?

    @Option(help: ArgumentHelp("A JSON file with tokens; - is standard input.", valueName: "file"), completion: .file())
    var ids: String

    @Option(help: ArgumentHelp("The safetensors file to write.", valueName: "file"), completion: .file())
    var out: String

    @Option(
        help: ArgumentHelp(
            "Whole sequences, pieces with carried state, token by token, or all but the last token of each row in one "
                + "padded batch and then the last ones."))
    var form = Form.parallel

    @Option(help: ArgumentHelp("Where pieces end, for --form chunk (default: every 64).", valueName: "n,n,..."))
    var cuts: String?

    @Option(help: "The type to compute in.")
    var dtype = VerifyCommand.CheckedType.float32

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        if cuts != nil && form != .chunk { throw ValidationError("--cuts is for --form chunk.") }
        _ = try positions()
    }

    private func positions() throws -> [Int]? {
        try cuts.map { text in
            let numbers = text.split(separator: ",").map { Int($0.filter { $0 != " " }) }
            guard let cuts = numbers as? [Int], zip([0] + cuts, cuts).allSatisfy(<) else {
                throw ValidationError("--cuts \(text): must be positive numbers that rise, as 5,17.")
            }
            return cuts
        }
    }

    func run() throws {
        Interruption.listen()
        compute.apply()
        let rows = try Self.tokens(ids == "-" ? "/dev/stdin" : ids)
        let model = try RunLocator.loadModel(self.model, adapter: adapter, dtype: dtype.dtype).model
        let longest = rows.map(\.count).max() ?? 0
        let form: ReadingForm =
            switch self.form {
            case .parallel: .parallel
            case .chunk: .chunk(cuts: try positions() ?? Array(stride(from: 64, to: longest, by: 64)))
            case .step: .step
            case .leftPadded: .prefill(padding: .left)
            case .rightPadded: .prefill(padding: .right)
            }
        let total = rows.reduce(0) { $0 + $1.count }
        let (watch, console) = (Timer(), global.console)
        let logits = try model.logits(of: rows, form: form) { done in
            console.showProgress("\(Format.percent(Double(done) / Double(total)))  \(Format.count(done)) tokens")
            return !Interruption.isRequested
        }
        console.clearProgress()
        guard let logits else { throw Interruption.exitStatus }
        let seconds = watch.seconds
        let lengths = try Tensor(rows.map { Int32($0.count) }, shape: [rows.count])
        try TensorFile.write(
            ParameterSet(paths: ["logits", "lengths"], tensors: [logits, lengths]), to: out,
            metadata: ["form": self.form.rawValue])
        try report(rows: rows.count, tokens: total, shape: logits.shape, seconds: seconds)
    }

    private func report(rows: Int, tokens: Int, shape: Shape, seconds: Double) throws {
        let rate = Double(tokens) / seconds
        guard global.json else {
            return global.console.note(
                "Wrote \(shape) logits of \(rows) rows, \(tokens) tokens, \(Format.count(rate)) tokens/s: \(out)")
        }
        let result: JSONValue = [
            "out": .string(out), "form": .string(form.rawValue), "rows": .integer(rows), "tokens": .integer(tokens),
            "tokens_per_second": .real(rate),
        ]
        try OutputStream.data.writeLine(result.text())
    }

    /// The rows of a file: a list of numbers, or a list of such lists.
    /// - Throws: `RondoError` that names the place.
    private static func tokens(_ path: String) throws -> [[Int32]] {
        guard let list = try JSONValue(contentsOf: path).arrayValue else { throw notTokens(path, "the document") }
        let rows = list.allSatisfy { $0.arrayValue == nil } ? [list] : list.map { $0.arrayValue ?? [$0] }
        return try rows.enumerated().map { index, row in
            try row.map { value in
                guard let token = value.intValue.flatMap(Int32.init(exactly:)), token >= 0 else {
                    throw notTokens(path, "row \(index), \(value.text())")
                }
                return token
            }
        }
    }

    private static func notTokens(_ path: String, _ place: String) -> RondoError {
        RondoError(.invalidArgument, "'\(path)', \(place): must be lists of token numbers, as [[1, 2, 3], [4]]")
    }
}
