import RondoCheckpoints
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// The files of a checkpoint: what is accepted, and what is said about what is not.
@Suite struct WeightFileTests {
    private func message(_ copy: CheckpointCopy) throws -> String {
        try rondoError { _ = try copy.load() }.message
    }

    private func expect(_ text: String, says parts: String...) {
        for part in parts { #expect(text.contains(part), "\(text)\nshould say: \(part)") }
    }

    // MARK: - What is accepted

    @Test func shardsAreOneModel() throws {
        let whole = try CheckpointCopy("mamba").write().load()
        let shards = try CheckpointCopy("mamba").write(shards: 3).load()
        #expect(try whole.parameters.fingerprint() == shards.parameters.fingerprint())
    }

    @Test(arguments: [DType.bfloat16, .float16]) func halfPrecisionIsWidened(_ dtype: DType) throws {
        let copy = try CheckpointCopy("mamba2")
        try copy.cast(to: dtype)
        let narrow = try copy.write().load()
        try copy.cast(to: .float32)
        let wide = try copy.write().load()
        #expect(narrow.dtype == .float32)
        #expect(try narrow.parameters.fingerprint() == wide.parameters.fingerprint())
    }

    @Test func aTiedHeadNeedsNoTensorAndAnUntiedOneDoes() throws {
        let tied = try CheckpointCopy("recurrent_gemma")
        #expect(tied.tensors["lm_head.weight"] == nil)
        #expect(try tied.write().load().head == nil)
        // Stored a second time, as some programs do.
        tied.tensors["lm_head.weight"] = try Tensor.ones([40, 16])
        #expect(try tied.write().load().head == nil)
        tied.tensors["lm_head.weight"] = try Tensor.ones([40, 15])
        expect(try message(tied.write()), says: "unknown 'lm_head.weight' [40, 15]")
        tied.tensors["lm_head.weight"] = nil
        tied.config["tie_word_embeddings"] = .bool(false)
        expect(try message(tied.write()), says: "missing 'lm_head.weight' [40, 16]")
        tied.tensors["lm_head.weight"] = try Tensor.zeros([40, 16])
        #expect(try tied.write().load().head != nil)
    }

    @Test(arguments: ["Infinity", "{\"__float__\": \"Infinity\"}"]) func infinityHasTwoSpellings(_ text: String) throws
    {
        let copy = try CheckpointCopy("mamba2").write()
        let path = copy.folder.file(ModelFolder.configuration)
        copy.config["time_step_limit"] = nil
        let rest = JSONValue.object(copy.config).text().dropLast()
        try AtomicFile.write("\(rest), \"time_step_limit\": [0.25, \(text)]}", to: path)
        let model = try copy.load()
        let options = try #require(model.configuration.mixerOptions)
        #expect(options["time_step_min"]?.doubleValue == 0.25)
        #expect(options["time_step_max"]?.doubleValue == nil)
    }

    // MARK: - What is refused

    @Test func everyTensorThatDoesNotFitIsNamed() throws {
        let copy = try CheckpointCopy("mamba")
        copy.tensors["backbone.norm_f.weight"] = nil
        copy.tensors["backbone.layers.0.mixer.D"] = try Tensor.ones([31])
        copy.tensors["backbone.layers.1.mixer.D"] = try Tensor([Int32](repeating: 1, count: 32))
        copy.tensors["backbone.extra"] = try Tensor.ones([2, 3])
        expect(
            try message(copy.write()), says: "missing 'backbone.norm_f.weight' [16]",
            "'backbone.layers.0.mixer.D' should be [32], is [31]",
            "'backbone.layers.1.mixer.D' has elements of type int32, should be numbers",
            "unknown 'backbone.extra' [2, 3]")
    }

    @Test func everyKeyThatDoesNotFitIsNamed() throws {
        let copy = try CheckpointCopy("xlstm")
        copy.config["use_bias"] = .bool(true)
        copy.config["num_heads"] = .string("two")
        copy.config["head_dim"] = .integer(5)
        copy.config["embedding_dim"] = .integer(17)
        copy.config["surprise"] = .bool(true)
        expect(
            try message(copy.write()), says: "use_bias: must be false, found true",
            "num_heads: must be an integer of moderate size, found \"two\"", "embedding_dim: must be 16, found 17",
            "surprise: unknown, and might change the computation, found true")
        let hybrid = try CheckpointCopy("recurrent_gemma")
        hybrid.config["hidden_activation"] = .string("relu")
        hybrid.config["rope_parameters"] = ["rope_type": .string("yarn")]
        hybrid.config["rope_scaling"] = ["factor": .integer(2)]
        expect(try message(hybrid.write()), says: "hidden_activation:", "rope_parameters:", "rope_scaling:")
        hybrid.config["block_types"] = .array([.string("recurrent"), .string("convolution")])
        expect(try message(hybrid.write()), says: "block_types: must list \"recurrent\" and \"attention\"")
    }

    @Test func bothSpellingsOfRotaryPositionsMeanTheSame() throws {
        let copy = try CheckpointCopy("recurrent_gemma-bias")
        let new = try copy.write().load().configuration
        copy.config["rope_parameters"] = nil
        copy.config["rope_theta"] = .real(100.0)
        copy.config["partial_rotary_factor"] = .real(0.75)
        #expect(try copy.write().load().configuration == new)
    }

    @Test func picklesAreRefusedWithTheWayOut() throws {
        let copy = try CheckpointCopy("mamba")
        try copy.writeConfig()
        try AtomicFile.write("not a pickle", to: copy.folder.file("pytorch_model.bin"))
        expect(try message(copy), says: "pytorch_model.bin", "safe_serialization=True")
        try FileSystem.remove(copy.folder.file("pytorch_model.bin"))
        expect(try message(copy), says: "has neither model.safetensors nor model.safetensors.index.json")
    }

    @Test func anIndexMustBeRight() throws {
        let copy = try CheckpointCopy("mamba").write(shards: 3)
        let second = "model-00002-of-00003.safetensors"
        try FileSystem.remove(copy.folder.file(second))
        expect(try message(copy), says: "has no \(second)")

        try copy.write(shards: 3)
        try copy.write(Array(copy.tensors.keys.sorted().prefix(2)), to: second)
        expect(try message(copy), says: "is in two files")

        try copy.write(shards: 3)
        var map = JSONObject()
        for name in copy.tensors.keys { map[name] = .string(second) }
        try copy.writeIndex(map)
        expect(try message(copy), says: "is not in '\(second)'")
    }

    @Test(arguments: [
        "../model.safetensors", "/tmp/model.safetensors", "a/b.safetensors", ".hidden.safetensors", "weights.bin",
        "a/\u{301}b.safetensors", "a\u{0}.safetensors",
    ]) func anIndexCannotLeadOutOfTheFolder(_ file: String) throws {
        let copy = try CheckpointCopy("mamba")
        try copy.writeConfig()
        var map = JSONObject()
        map["backbone.norm_f.weight"] = .string(file)
        try copy.writeIndex(map)
        expect(try message(copy), says: "must name a .safetensors file of the same folder")
    }

    // MARK: - Numbers that are none

    @Test func weightsThatAreNotFiniteAreNamed() throws {
        let copy = try CheckpointCopy("recurrent_gemma")
        copy.tensors["model.final_norm.weight"] = try Tensor.full([16], .infinity)
        let gate = "model.layers.1.temporal_block.rg_lru.input_gate_bias"
        copy.tensors[gate] = try Tensor([Float](repeating: 0, count: 15) + [.nan], shape: [4, 4])
        try copy.write()
        let error = try rondoError { _ = try copy.load() }
        #expect(error.code == .notFinite)
        expect(error.message, says: "'model.final_norm.weight', '\(gate)'")
        let model = try copy.load(allowsNonFinite: true)
        #expect(try !model.parameters.tensors.allSatisfy { try $0.isFinite() })
    }

    @Test func weightsThatOverflowFloat32AreNotFinite() throws {
        let copy = try CheckpointCopy("mamba")
        copy.tensors["backbone.norm_f.weight"] = try Tensor.full([16], 1e300, dtype: .float64)
        try copy.write()
        #expect(throws: RondoError.self) { try copy.load() }
        #expect(throws: Never.self) { try copy.load(dtype: .float64) }
    }

    @Test func aModelOfRondosOwnIsLookedAtToo() throws {
        var generator = Generator(seed: 1)
        var model = try LanguageModel(.init(mixer: "gru", dModel: 4, nLayers: 1), using: &generator)
        model.embedding.weight = try Tensor.full(model.embedding.weight.shape, .nan)
        let folder = try TemporaryFolder()
        try model.write(to: folder.path)
        let error = try rondoError { _ = try LanguageModel(checkpoint: folder.path) }
        #expect(error.code == .notFinite)
        #expect(error.message.contains("'embedding.weight'"))
        #expect(throws: Never.self) { try LanguageModel(checkpoint: folder.path, allowsNonFinite: true) }
    }

    // MARK: - Claims

    @Test func aConfigurationCannotClaimMoreThanTheWeightsHold() throws {
        let claims: [[String: Int]] = [
            ["hidden_size": 1_000_000, "num_hidden_layers": 10_000], ["num_hidden_layers": 10_000],
            ["hidden_size": 1_000_000], ["vocab_size": 1 << 24], ["state_size": 1 << 20], ["expand": 64],
            ["time_step_rank": 1 << 30], ["hidden_size": .max, "vocab_size": .max], ["num_hidden_layers": .max],
        ]
        for claim in claims {
            let copy = try CheckpointCopy("mamba")
            for (key, value) in claim { copy.config[key] = .integer(value) }
            try copy.write()
            Runtime.hostAllocator.resetPeak()
            let before = Runtime.hostAllocator.statistics.liveBytes
            #expect(throws: RondoError.self, "\(claim)") { try copy.load() }
            #expect(Runtime.hostAllocator.statistics.peakBytes - before < 256 << 20, "\(claim)")
        }
    }
}
