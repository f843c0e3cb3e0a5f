import RondoIO
public import RondoMixers
import RondoNN
public import RondoTensor

/// Checks the laws of the mixer contract, for mixers of this package and of any other.
public struct Conformance: Sendable {
    /// The laws to check.
    public var laws: [Law]
    /// The types to check them in.
    public var dtypes: [DType]
    /// An existing folder for state files.
    public var folder: String
    /// Restores a state in another process and compares how it goes on, by ``continueInThisProcess(_:in:)`` there.
    ///
    /// Without it the law `process` is skipped.
    public var otherProcess: (@Sendable (_ mixer: String, _ folder: String) throws -> String?)?

    /// Chooses what to check.
    ///
    /// - Parameters:
    ///   - folder: An existing folder for temporary files.
    ///   - laws: The laws; all by default.
    ///   - dtypes: float32 and float64 by default.
    ///   - otherProcess: Returns what differed in another process, or `nil`.
    public init(
        folder: String, laws: [Law] = Law.allCases, dtypes: [DType] = [.float32, .float64],
        otherProcess: (@Sendable (_ mixer: String, _ folder: String) throws -> String?)? = nil
    ) {
        self.folder = folder
        self.laws = laws
        self.dtypes = dtypes
        self.otherProcess = otherProcess
    }

    /// Checks a mixer on all its examples.
    ///
    /// A law that throws is broken, with the error as its failure. The number of threads of the process changes
    /// meanwhile.
    ///
    /// - Returns: One result for each law, example and type.
    public func verify<Mixer: SequenceMixer>(_ type: Mixer.Type) -> [LawResult] {
        type.examples.enumerated().flatMap { index, example in
            dtypes.flatMap { dtype in
                laws.compactMap { law in check(law, type, example, dtype, isFirst: index == 0) }
            }
        }
    }

    /// `nil` where a law needs to be checked once only and was.
    private func check<Mixer: SequenceMixer>(
        _ law: Law, _ type: Mixer.Type, _ example: MixerExample<Mixer.Configuration>, _ dtype: DType, isFirst: Bool
    ) -> LawResult? {
        var result = LawResult(
            mixer: type.architecture, example: "\(example.label), \(dtype.rawValue)", law: law, error: 0, tolerance: 0)
        if law == .extremes, dtype != .float32 { return nil }
        if law == .process, !isFirst || dtype != .float32 { return nil }
        var findings = Findings()
        do {
            if law == .process {
                guard let otherProcess else {
                    result.skipped = "no way to start another process was given"
                    return result
                }
                try prepareOtherProcess(type)
                if let difference = try otherProcess(type.architecture, folder) { findings.fail(difference) }
            } else {
                for trained in [false, true] {
                    try run(law, Subject<Mixer>(example, dtype: dtype, trained: trained), &findings)
                }
            }
        } catch {
            findings.fail("\(error)")
        }
        result.error = findings.error
        result.tolerance = findings.tolerance
        result.failure = findings.failure
        return result
    }

    private func run<Mixer>(_ law: Law, _ subject: Subject<Mixer>, _ findings: inout Findings) throws {
        findings.allowsJumps = subject.mixer.hasThresholds
        switch law {
        case .split: try subject.split(&findings)
        case .step: try subject.step(&findings)
        case .parallel: try subject.parallel(&findings)
        case .reference: try subject.reference(&findings)
        case .gradients: try subject.gradients(&findings)
        case .causality: try subject.causality(&findings)
        case .rows: try subject.rows(&findings)
        case .fork: try subject.fork(&findings)
        case .roundTrip: try subject.roundTrip(&findings, in: folder)
        case .documents: try subject.documents(&findings)
        case .padding: try subject.padding(&findings)
        case .precision: try subject.precision(&findings)
        case .memory: try subject.memory(&findings)
        case .width: try subject.width(&findings)
        case .threads: try subject.threads(&findings)
        case .extremes: try subject.extremes(&findings)
        case .process: break
        }
    }

    // MARK: - Another process

    private static let stateFile = "process-state.safetensors"
    private static let outputFile = "process-output.safetensors"

    /// Saves a state, and how this process goes on from it.
    private func prepareOtherProcess<Mixer: SequenceMixer>(_ type: Mixer.Type) throws {
        guard let example = type.examples.first else { return }
        let subject = try Subject<Mixer>(example, dtype: .float32, trained: true)
        try subject.mixer.save(subject.begun, to: FileSystem.join(folder, Self.stateFile))
        let (outputs, after) = try subject.chunk(subject.x, from: subject.begun)
        let all = ParameterSet(paths: ["outputs"] + after.names, tensors: [outputs] + after.named.tensors)
        try TensorFile.write(all, to: FileSystem.join(folder, Self.outputFile))
    }

    /// The other process's part of the law `process`: restores the state that the first process saved, goes on, and
    /// compares bit for bit.
    ///
    /// - Returns: What differs, or `nil`.
    /// - Throws: `RondoError` if a file cannot be read.
    public static func continueInThisProcess<Mixer: SequenceMixer>(
        _ type: Mixer.Type, in folder: String
    ) throws -> String? {
        guard let example = type.examples.first else { return nil }
        let subject = try Subject<Mixer>(example, dtype: .float32, trained: true)
        let path = FileSystem.join(folder, Self.stateFile)
        let restored = try subject.mixer.restoreState(from: path, batch: Subject<Mixer>.batch)
        let (outputs, after) = try subject.chunk(subject.x, from: restored)
        let file = try TensorFile(FileSystem.join(folder, Self.outputFile))
        var findings = Findings()
        try findings.compareBits(outputs, file.tensor("outputs"), "outputs in another process")
        for (name, leaf) in zip(after.names, after.named.tensors) {
            try findings.compareBits(leaf, file.tensor(name), "state '\(name)' in another process")
        }
        return findings.failure
    }
}
