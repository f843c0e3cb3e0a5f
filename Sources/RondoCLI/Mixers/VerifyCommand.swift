public import ArgumentParser
public import RondoConformance
import RondoIO
import RondoMixers
import RondoTensor

extension Law: ExpressibleByArgument {}

/// `rondo verify`.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check the laws that every mixer must keep, or the forms of a model.",
        discussion: """
            Example:
              rondo verify
              rondo verify lstm gru --law gradients --dtype float64
              rondo verify --model DIR

            The table shows the largest error as a part of what rounding explains: up to 1.00 the law is kept. Where \
            bits are compared it says exact. The exit status is 1 if a law is broken.

            With --model, a model with its own weights reads random tokens as a whole, in pieces, step by step and in \
            padded rows, in float64 unless --dtype says otherwise: there a mistake cannot hide behind rounding, which deep
            models amplify. Errors are relative to the largest score.
            """)

    /// The types that laws can be checked in.
    enum CheckedType: String, ExpressibleByArgument, CaseIterable {
        case float32, float64

        var dtype: DType { self == .float32 ? .float32 : .float64 }
    }

    @Argument(help: ArgumentHelp("Mixers, as `rondo models` lists them; all by default.", valueName: "name"))
    var names: [String] = []

    @Option(
        help: ArgumentHelp("Check this model instead: a run, a checkpoint or a Hugging Face folder.", valueName: "dir"),
        completion: .directory)
    var model: String?

    @Option(help: "Check only this law; may be repeated.")
    var law: [Law] = []

    @Option(help: "Check only in this type; may be repeated.")
    var dtype: [CheckedType] = []

    @Option(
        help: ArgumentHelp(
            "Go on from the state that another process left in this folder.", valueName: "folder", visibility: .hidden))
    var continueFrom: String?

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        if model != nil, !names.isEmpty || !law.isEmpty {
            throw ValidationError("--model checks a model's forms; leave out names of mixers and laws.")
        }
    }

    func run() throws {
        compute.apply()
        if let model { return try check(model: model) }
        let types = try names.isEmpty ? MixerRegistry.all : names.map(Self.mixer)
        if let continueFrom { return try Self.goOn(types, from: continueFrom) }
        Interruption.listen()
        let table = LawTable(results: try check(types))
        if global.json {
            try OutputStream.data.writeLine(table.json.text())
        } else {
            try OutputStream.data.writeLine(table.text(width: OutputStream.data.width))
            if !table.broken.isEmpty { try OutputStream.data.writeLine("\n" + table.details) }
        }
        global.console.note(table.conclusion)
        if !table.broken.isEmpty { throw ExitStatus.failure }
    }

    /// A mistyped name is a mistake in the command line, not a broken law.
    private static func mixer(named name: String) throws -> any SequenceMixer.Type {
        do { return try MixerRegistry.mixer(named: name) } catch let error as RondoError {
            throw RondoError(.invalidArgument, error.message)
        }
    }

    private func check(model path: String) throws {
        Interruption.listen()
        let console = global.console
        let loaded = try RunLocator.loadModel(path, dtype: (dtype.first ?? .float64).dtype)
        let outcomes = try ModelVerification.check(loaded.model) { form in
            console.showProgress("\(form) ...")
            return !Interruption.isRequested
        }
        console.clearProgress()
        guard !Interruption.isRequested else { throw Interruption.exitStatus }
        try OutputStream.data.writeLine(
            global.json ? ModelVerification.json(outcomes).text() : ModelVerification.text(outcomes))
        if !outcomes.allSatisfy(\.isKept) { throw ExitStatus.failure }
    }

    private func check(_ types: [any SequenceMixer.Type]) throws -> [LawResult] {
        let folder = try ScratchFolder()
        let laws = law.isEmpty ? Law.allCases : Law.allCases.filter(law.contains)
        let dtypes = dtype.isEmpty ? CheckedType.allCases : CheckedType.allCases.filter(dtype.contains)
        let console = global.console
        var results: [LawResult] = []
        for (index, type) in types.enumerated() {
            for law in laws {
                guard !Interruption.isRequested else { throw Interruption.exitStatus }
                console.showProgress("\(index + 1) of \(types.count): \(type.architecture), \(law.summary) ...")
                let conformance = Conformance(
                    folder: folder.path, laws: [law], dtypes: dtypes.map(\.dtype), otherProcess: Self.startOther)
                results += conformance.verify(type)
            }
        }
        console.clearProgress()
        return results
    }

    // MARK: - The law of the other process

    /// Lets another process go on from the state in a folder.
    private static func startOther(_ mixer: String, in folder: String) throws -> String? {
        let outcome = try OtherProcess.run(
            ["verify", mixer, "--continue-from", folder], output: FileSystem.join(folder, "process-report.txt"))
        let text = String(outcome.text.split(separator: "\n").joined(separator: "; "))
        guard outcome.status == 0 else { return "the other process ended with \(outcome.status): \(text)" }
        return text.isEmpty ? nil : text
    }

    /// What the other process does: it prints what differs.
    private static func goOn(_ types: [any SequenceMixer.Type], from folder: String) throws {
        for type in types {
            if let difference = try Conformance.continueInThisProcess(type, in: folder) {
                try OutputStream.data.writeLine(difference)
            }
        }
    }
}
