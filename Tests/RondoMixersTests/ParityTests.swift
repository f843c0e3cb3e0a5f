import Foundation
import RondoIO
import RondoMixers
import RondoNN
import RondoTensor
import Testing

/// Mixers against independent implementations: outputs and final states from the beginning of a sequence.
///
/// The scripts in Tests/Parity/mixers make the files. A file's name up to the first dot or dash is the mixer's; each
/// holds `x`, `y`, `state.<leaf>` and `parameter.<path>` in float64, and the options and the width as metadata.
@Suite struct ParityTests {
    static let files: [String] = {
        let folder = Bundle.module.resourceURL?.appendingPathComponent("Vectors").path ?? ""
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.sorted()
    }()

    @Test func everyMixerHasVectors() {
        let known = Set(Self.files.map { String($0.prefix { $0 != "." && $0 != "-" }) })
        #expect(Set(MixerRegistry.builtIn.map { $0.architecture }) == known)
    }

    @Test(arguments: files, [DType.float64, .float32])
    func equals(_ file: String, _ dtype: DType) throws {
        let vectors = try MixerVectors(file)
        let type = try MixerRegistry.mixer(named: String(file.prefix { $0 != "." && $0 != "-" }))
        try compare(type, vectors, dtype)
    }

    private func compare<Mixer: SequenceMixer>(_: Mixer.Type, _ vectors: MixerVectors, _ dtype: DType) throws {
        var generator = Generator(seed: 0)
        let random = try Mixer.make(
            options: vectors.options, dModel: vectors.dModel, dtype: dtype, using: &generator)
        let current = random.parameters
        #expect(Set(current.paths) == vectors.names(under: "parameter."), "parameters")
        let values = try current.paths.map { try vectors["parameter.\($0)"].cast(to: dtype) }
        for (path, (own, value)) in zip(current.paths, zip(current.tensors, values)) {
            try #require(own.shape == value.shape, "shape of \(path)")
        }
        let mixer = random.replacingParameters(values)
        let x = try vectors["x"].cast(to: dtype)
        var state = try mixer.initialState(batch: x.shape[0])
        let y = try mixer.chunk(x, state: &state)
        try expectEqual(y, vectors["y"], "output")
        #expect(Set(state.names) == vectors.names(under: "state."), "states")
        for (name, leaf) in zip(state.names, state.named.tensors) {
            try expectEqual(leaf, vectors["state.\(name)"], "state \(name)")
        }
        try expectEqual(mixer.parallel(x), vectors["y"], "parallel")
    }

    /// Equal to 1e-9 (float32: 1e-4) of the largest magnitude.
    private func expectEqual(_ actual: Tensor, _ expected: Tensor, _ what: String) throws {
        try #require(actual.shape == expected.shape, "shape of \(what)")
        guard expected.count > 0 else { return }
        let error = try (actual.cast(to: .float64) - expected).abs().max().scalar()
        let scale = try expected.abs().max().scalar()
        #expect(error <= (actual.dtype == .float64 ? 1e-9 : 1e-4) * scale, "\(what): \(error) of \(scale)")
    }
}

/// One file of vectors.
private struct MixerVectors {
    let file: SafetensorsFile
    let options: JSONValue
    let dModel: Int

    init(_ name: String) throws {
        let url = try #require(
            Bundle.module.resourceURL?.appendingPathComponent("Vectors").appendingPathComponent(name))
        file = try SafetensorsFile(url.path)
        options = try JSONValue(parsing: try #require(file.metadata["configuration"]), source: name)
        dModel = try #require(file.metadata["d_model"].flatMap { Int($0) })
    }

    /// What follows a prefix in the names of tensors.
    func names(under prefix: String) -> Set<String> {
        Set(file.entries.map(\.name).filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
    }

    subscript(name: String) -> Tensor {
        get throws {
            let entry = try file.entry(name)
            let values = try file.withUnsafeBytes(of: name) { bytes in
                stride(from: 0, to: bytes.count, by: 8).map { bytes.loadUnaligned(fromByteOffset: $0, as: Double.self) }
            }
            return try Tensor(values, shape: Shape(entry.shape))
        }
    }
}
