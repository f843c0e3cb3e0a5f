import ArgumentParser
import RondoCheckpoints
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor

/// `rondo inspect`.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what is in a model: shape, parameters, state, tensors, fingerprint.",
        discussion: """
            Example:
              rondo inspect DIR
              rondo inspect DIR --tensors
              rondo inspect model.safetensors

            Also folders in Hugging Face's layout and any safetensors file. Weights are read only for the fingerprint.
            """)

    @Argument(help: ArgumentHelp("The folder of a model or a run, or a safetensors file.", valueName: "path"))
    var path: String

    @Flag(help: "List every tensor.")
    var tensors = false

    @Flag(help: "Read all weights and print a check value that tells models of one shape apart.")
    var fingerprint = false

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    func run() throws {
        compute.apply()
        if FileSystem.kind(of: path) == .file { return try show(try file(), listing: true) }
        let checkpoint = try Checkpoint(folder: RunLocator.modelFolder(path))
        try show(try folder(checkpoint), listing: tensors)
    }

    private typealias Description = (summary: [(key: String, value: JSONValue)], tensors: [StoredTensor])

    private func folder(_ checkpoint: Checkpoint) throws -> Description {
        let (model, tensors) = (checkpoint.configuration, try checkpoint.tensors())
        let (parameterCount, stateByteCount) = try checkpoint.sizes()
        var summary: [(key: String, value: JSONValue)] = [
            ("model_type", .string(checkpoint.modelType)), ("mixer", .string(model.shortName)),
            ("layers", .integer(model.everyLayer.count)), ("d_model", .integer(model.dModel)),
            ("vocabulary", .integer(model.vocabSize)), ("tied_head", .bool(model.tieEmbeddings)),
            ("state_bytes", .integer(stateByteCount)),
        ]
        summary += Self.sizes(tensors, parameterCount: parameterCount)
        if fingerprint { summary.append(("fingerprint", .string(try checkpoint.model().parameters.fingerprint()))) }
        return (summary, tensors)
    }

    private func file() throws -> Description {
        let file = try TensorFile(path, isForeign: true)
        let tensors = file.entries.map(StoredTensor.init)
        let metadata = file.metadata.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
        let count = tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
        return (Self.sizes(tensors, parameterCount: count) + metadata, tensors)
    }

    private static func sizes(
        _ tensors: [StoredTensor], parameterCount: Int
    ) -> [(key: String, value: JSONValue)] {
        [
            ("tensors", .integer(tensors.count)), ("parameters", .integer(parameterCount)),
            ("types", .string(Set(tensors.map(\.dtype)).sorted().joined(separator: ", "))),
            ("weight_bytes", .integer(tensors.reduce(0) { $0 + $1.byteCount })),
        ]
    }

    private func show(_ description: Description, listing: Bool) throws {
        guard !global.json else {
            var object = JSONObject()
            for (key, value) in description.summary { object[key] = value }
            if listing { object["list"] = .array(description.tensors.map(Self.json)) }
            return try OutputStream.data.writeLine(JSONValue.object(object).text())
        }
        let width = description.summary.map(\.key.count).max() ?? 0
        for (key, value) in description.summary {
            let padding = String(repeating: " ", count: width - key.count)
            try OutputStream.data.writeLine("\(key)\(padding)  \(Self.text(key, value))")
        }
        if listing { try OutputStream.data.writeLine("\n" + Self.table(description.tensors)) }
    }

    private static func text(_ key: String, _ value: JSONValue) -> String {
        if key.hasSuffix("_bytes"), let bytes = value.intValue { return Format.bytes(bytes) }
        return value.stringValue ?? value.text()
    }

    private static func json(_ tensor: StoredTensor) -> JSONValue {
        [
            "name": .string(tensor.name), "dtype": .string(tensor.dtype),
            "shape": .array(tensor.shape.map { .integer($0) }), "bytes": .integer(tensor.byteCount),
        ]
    }

    private static func table(_ tensors: [StoredTensor]) -> String {
        var table = Table(columns: [("TENSOR", .left), ("TYPE", .left), ("SHAPE", .left), ("BYTES", .right)])
        table.rows = tensors.map {
            [$0.name, $0.dtype, "[" + $0.shape.map(String.init).joined(separator: ", ") + "]", "\($0.byteCount)"]
        }
        return table.text()
    }
}
