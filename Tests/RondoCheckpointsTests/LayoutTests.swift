import RondoCheckpoints
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Layouts of other ages than that of the committed files, and configurations that are refused.
@Suite struct LayoutTests {
    /// A copy of a committed checkpoint with other tensors and keys.
    private struct Copy {
        let folder: TemporaryFolder
        let original: LanguageModel

        init(
            _ name: String, keys: [String: JSONValue] = [:],
            _ change: (inout [String: Tensor]) throws -> Void = { _ in }
        ) throws {
            let source = FileSystem.join(FamilyTests.root, name)
            folder = try TemporaryFolder()
            original = try LanguageModel(checkpoint: source)
            let file = try TensorFile(FileSystem.join(source, ModelFolder.weights), isForeign: true)
            var tensors: [String: Tensor] = [:]
            for name in file.names { tensors[name] = try file.tensor(name) }
            try change(&tensors)
            let names = tensors.keys.sorted()
            try TensorFile.write(
                ParameterSet(paths: names, tensors: names.compactMap { tensors[$0] }),
                to: folder.file(ModelFolder.weights))
            let config = try JSONValue(foreignContentsOf: FileSystem.join(source, ModelFolder.configuration))
            var object = try #require(config.objectValue)
            for (key, value) in keys { object[key] = value }
            try AtomicFile.write(JSONValue.object(object).text(), to: folder.file(ModelFolder.configuration))
        }

        func expectTheSameModel() throws {
            let model = try LanguageModel(checkpoint: folder.path)
            #expect(try model.parameters.fingerprint() == original.parameters.fingerprint())
        }
    }

    @Test(arguments: ["gla", "delta_net", "gated_deltanet"])
    func bothMapsOfSwiGLUMayBeOneTensor(_ name: String) throws {
        try Copy(name) { tensors in
            for layer in 0..<2 {
                let mlp = "model.layers.\(layer).mlp"
                let up = try #require(tensors["\(mlp).up_proj.weight"])
                let gate = try #require(tensors["\(mlp).gate_proj.weight"])
                tensors["\(mlp).up_proj.weight"] = nil
                tensors["\(mlp).gate_proj.weight"] = try Tensor.concatenate([gate, up])
            }
        }.expectTheSameModel()
    }

    @Test func keysOfTheOriginalMambaMustAgree() throws {
        let agreeing: [String: JSONValue] = [
            "d_model": .integer(16), "n_layer": .integer(2), "d_inner": .integer(32), "rms_norm": .bool(true),
            "fused_add_norm": .bool(true), "pad_vocab_size_multiple": .integer(8), "ssm_cfg": [:],
        ]
        try Copy("mamba", keys: agreeing).expectTheSameModel()
        let others: [String: JSONValue] = [
            "d_model": .integer(8), "n_layer": .integer(3), "d_inner": .integer(16), "rms_norm": .bool(false),
            "ssm_cfg": ["layer": .string("Mamba2")],
        ]
        for (key, value) in others {
            let copy = try Copy("mamba", keys: agreeing.merging([key: value]) { $1 })
            let error = #expect(throws: RondoError.self) { try LanguageModel(checkpoint: copy.folder.path) }
            #expect(error?.message.contains("\(key): must be") == true, "\(key)")
        }
    }

    @Test func sharesOfRWKV7MayBeOneTensor() throws {
        try Copy("rwkv7") { tensors in
            for layer in 0..<3 {
                let attention = "model.layers.\(layer).attn"
                let rows = try ["r", "w", "k", "v", "a", "g"].map { part -> Tensor in
                    let row = try #require(tensors["\(attention).x_\(part)"])
                    tensors["\(attention).x_\(part)"] = nil
                    return try row.reshaped([1, -1])
                }
                tensors["\(attention).x_x"] = try Tensor.concatenate(rows)
            }
        }.expectTheSameModel()
    }

    @Test func theHeadNormOfGLAHasTwoNames() throws {
        try Copy("gla", keys: ["fuse_norm": .bool(false)]) { tensors in
            for layer in 0..<2 {
                let attention = "model.layers.\(layer).attn"
                tensors["\(attention).g_norm.weight"] =
                    tensors.removeValue(forKey: "\(attention).g_norm_swish_gate.weight")
            }
        }.expectTheSameModel()
    }

    @Test func theEpsilonHasAnOlderName() throws {
        let copy = try Copy("delta_net", keys: ["norm_eps": .null, "rms_norm_eps": .real(0.25)])
        let model = try LanguageModel(checkpoint: copy.folder.path).configuration
        #expect(model.normEpsilon == 0.25 && model.mixerOptions?["norm_epsilon"] == .real(0.25))
    }

    @Test(arguments: [
        ("rwkv", "layer_norm_epsilon", "0.001"), ("rwkv", "attention_norm", "true"),
        ("gla", "num_kv_heads", "1"), ("gla", "feature_map", "\"relu\""), ("gla", "clamp_min", "-2"),
        ("gla", "use_short_conv", "true"), ("gla", "use_output_gate", "false"), ("gla", "elementwise_affine", "false"),
        ("gla", "hidden_act", "\"powlu\""), ("gla", "attn", #"{"layers":[1]}"#), ("gla", "attnres_block_size", "2"),
        ("delta_net", "qk_norm", "\"sum\""), ("delta_net", "qk_activation", "\"elu\""),
        ("delta_net", "use_beta", "false"), ("delta_net", "norm_first", "true"),
        ("gated_deltanet", "output_gate_activation", "\"sigmoid\""), ("gated_deltanet", "expand_v", "1.4"),
        ("rwkv7", "norm_bias", "false"), ("rwkv7", "hidden_act", "\"relu\""), ("rwkv7", "value_dim", "[12,24,12]"),
        ("rwkv7", "head_dim", "5"),
    ])
    func whatChangesTheComputationIsRefused(_ name: String, _ key: String, _ text: String) throws {
        let value = try JSONValue(parsing: text, source: "test")
        let copy = try Copy(name, keys: [key: value])
        let error = try rondoError { _ = try LanguageModel(checkpoint: copy.folder.path) }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains("\(key): ") && error.message.contains(value.text()), "\(error.message)")
    }

    @Test func modelsThatAFamilyCannotHoldAreRefused() throws {
        func reason(
            _ name: String, _ family: any CheckpointFamily.Type, _ key: String, _ value: JSONValue,
            layers changed: [Int] = [0]
        ) throws -> String {
            var model = try LanguageModel(checkpoint: FileSystem.join(FamilyTests.root, name)).configuration
            func changing(_ options: JSONValue?) throws -> JSONValue {
                var object = try #require(options?.objectValue)
                object[key] = value
                return .object(object)
            }
            if model.layers == nil { model.mixerOptions = try changing(model.mixerOptions) }
            for index in changed where model.layers != nil {
                let options = try changing(model.layers?[index].options)
                model.layers?[index].options = options
            }
            return try rondoError { _ = try family.keys(for: model) }.message
        }
        #expect(try reason("gla", GLAFamily.self, "gate_rank", .integer(3)).contains("gate_rank"))
        #expect(try reason("delta_net", DeltaNetFamily.self, "norm_epsilon", .real(0.5)).contains("norm_epsilon"))
        #expect(try reason("rwkv7", RWKV7Family.self, "value_mixing", .string("none")).contains("value_mixing"))
        #expect(try reason("rwkv7", RWKV7Family.self, "gate_rank", .integer(9)).contains("in all blocks"))
        let message = try reason("rwkv7", RWKV7Family.self, "key_epsilon", .real(0.5), layers: [0, 2, 4])
        #expect(message.contains("key_epsilon"), "\(message)")
        #expect(try reason("rwkv", RWKVFamily.self, "width", .integer(3)).contains("alike"))
        #expect(try reason("rwkv", RWKV7Family.self, "width", .integer(3)).contains("rwkv7,rwkv_channel_mix"))
    }
}
