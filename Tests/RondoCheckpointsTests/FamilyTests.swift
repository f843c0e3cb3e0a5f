import Foundation
import RondoCheckpoints
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Checkpoints that another program wrote, and the logits that it computes from them.
@Suite struct FamilyTests {
    static let root = Bundle.module.resourceURL?.appendingPathComponent("Vectors").path ?? ""
    static let folders = ((try? FileSystem.list(root)) ?? []).sorted()

    private struct Case {
        let folder: String
        let ids: Tensor
        let logits: Tensor

        init(_ name: String) throws {
            folder = FileSystem.join(FamilyTests.root, name)
            let file = try TensorFile(FileSystem.join(folder, "expected.safetensors"), isForeign: true)
            (ids, logits) = (try file.tensor("ids"), try file.tensor("logits"))
        }

        /// The largest difference to the expected logits of some positions, relative to the largest of all.
        func error(_ got: Tensor, from start: Int = 0, rows: Range<Int> = 0..<2) throws -> Double {
            let want = try logits.sliced(0, rows).sliced(1, start..<start + got.shape[1])
            let worst: Double = try (got.cast(to: .float64) - want).abs().max().scalar()
            let scale: Double = try logits.abs().max().scalar()
            return worst / scale
        }
    }

    /// Model types of which the other program computes a part in float32, so that float64 is not closer either.
    private static let narrow: Set = ["mamba", "falcon_mamba", "mamba2", "xlstm", "recurrent_gemma"]

    private static func tolerance(_ name: String, _ dtype: DType) throws -> Double {
        dtype == .float64 && !narrow.contains(String(name.prefix { $0 != "-" })) ? 1e-10 : 5e-6
    }

    @Test func everyFamilyHasACheckpoint() throws {
        let types = try Set(
            Self.folders.map { name in
                let config = FileSystem.join(FileSystem.join(Self.root, name), "config.json")
                return try JSONValue(foreignContentsOf: config)["model_type"]?.stringValue ?? ""
            })
        #expect(types == Set(CheckpointFamilies.all.map { $0.modelType }))
    }

    @Test(arguments: folders, [DType.float32, .float64]) func theWholePassAgrees(_ name: String, _ dtype: DType) throws
    {
        let example = try Case(name)
        let model = try LanguageModel(checkpoint: example.folder, dtype: dtype)
        var state = try model.initialState(batch: example.ids.shape[0])
        let error = try example.error(model.logits(example.ids, state: &state))
        #expect(error < (try Self.tolerance(name, dtype)), "\(name) \(dtype)")
    }

    @Test(arguments: folders) func everyFormAgrees(_ name: String) throws {
        let example = try Case(name)
        let model = try LanguageModel(checkpoint: example.folder, dtype: .float64)
        let ids = try example.ids.array(of: Int32.self)
        let time = example.ids.shape[1]
        let rows = [Array(ids[..<time]), Array(ids[time..<time + 8])]
        let whole = try #require(try model.logits(of: rows, form: .parallel))
        #expect(try example.error(whole.sliced(0, 0..<1), rows: 0..<1) < Self.tolerance(name, .float64))
        for form in [ReadingForm.chunk(cuts: [5, 9]), .step, .prefill(padding: .left), .prefill(padding: .right)] {
            let other = try #require(try model.logits(of: rows, form: form))
            #expect(try (whole - other).abs().max().scalar() < 1e-9, "\(form)")
        }
    }

    @Test(arguments: folders) func chunksAndStepsAgree(_ name: String) throws {
        let example = try Case(name)
        let model = try LanguageModel(checkpoint: example.folder, dtype: .float64)
        for cuts in [[1, 2, 9], Array(1..<example.ids.shape[1])] {
            var state = try model.initialState(batch: example.ids.shape[0])
            var start = 0
            for end in cuts + [example.ids.shape[1]] {
                let piece = try model.logits(example.ids.sliced(1, start..<end), state: &state)
                #expect(try example.error(piece, from: start) < Self.tolerance(name, .float64))
                start = end
            }
        }
    }

    @Test(arguments: folders) func writingGivesBackTheSameTensors(_ name: String) throws {
        let example = try Case(name)
        let model = try LanguageModel(checkpoint: example.folder)
        let family = try #require(model.fittingFamilies.first)
        let copy = try TemporaryFolder()
        try model.write(as: family, to: copy.path)
        let again = try LanguageModel(checkpoint: copy.path)
        #expect(again.configuration == model.configuration)
        #expect(try again.parameters.fingerprint() == model.parameters.fingerprint())
        let (old, new) = try (
            TensorFile(FileSystem.join(example.folder, ModelFolder.weights), isForeign: true),
            TensorFile(FileSystem.join(copy.path, ModelFolder.weights))
        )
        // Rondo writes maps one by one, where a program also has them in one tensor.
        guard !name.hasSuffix("-fused") else { return }
        #expect(Set(old.names) == Set(new.names))
        for tensor in old.names { #expect(old.shape(tensor) == new.shape(tensor), "\(tensor)") }
    }
}
