public import RondoIO
import RondoMixers
public import RondoModels
import RondoTensor

/// `xLSTMForCausalLM` of transformers: blocks of an mLSTM and a gated feed-forward part.
public enum XLSTMFamily: CheckpointFamily {
    /// `xlstm`.
    public static let modelType = "xlstm"
    /// `xLSTMForCausalLM`.
    public static let architecture = "xLSTMForCausalLM"

    /// Reads the keys that xLSTM has.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        ignoreSpeed(&keys)
        var model = LanguageModelConfiguration()
        model.vocabSize = keys.int("vocab_size", default: 50_304)
        model.dModel = sameInt(&keys, "hidden_size", "embedding_dim", default: 4096)
        model.nLayers = sameInt(&keys, "num_hidden_layers", "num_blocks", default: 32)
        model.norm = .rms
        model.normEpsilon = keys.double("norm_eps", default: 1e-6)
        model.logitSoftCap = keys.double("output_logit_soft_cap", default: 30)
        model.feedForward = .swiGLU
        model.feedForwardSize = feedForwardSize(&keys, dModel: model.dModel)
        keys.require("cell_norm_eps", oneOf: [.real(model.normEpsilon)])
        keys.require("weight_mode", oneOf: [.string("single"), .string("fused")])
        // With offsets, also the norms before each part would have some.
        keys.require("use_bias", oneOf: [.bool(false)])

        let heads = keys.int("num_heads", default: 8)
        let key = width(&keys, "qk_dim_factor", default: 0.5, dModel: model.dModel)
        let value = width(&keys, "v_dim_factor", default: 1, dModel: model.dModel)
        if heads > 0 { keys.require("head_dim", oneOf: [.integer(value / heads)]) }
        var options = JSONObject()
        options["heads"] = .integer(heads)
        options["expand_key"] = .real(Double(key) / Double(max(1, model.dModel)))
        options["expand_value"] = .real(Double(value) / Double(max(1, model.dModel)))
        options["gate_soft_cap"] = .real(keys.double("gate_soft_cap", default: 15))
        options["denominator_epsilon"] = .real(keys.double("eps", default: 1e-6))
        options["norm_epsilon"] = .real(model.normEpsilon)
        model.mixer = MLSTM.architecture
        model.mixerOptions = .object(options)
        return model
    }

    /// Writes the keys that xLSTM has, for weights that are not fused.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        try model.requirePlainBackbone(
            family: modelType, mixer: MLSTM.architecture, norm: .rms, feedForward: .swiGLU, hasLogitSoftCap: true)
        let mixer = try MLSTM.Configuration(options: model.mixerOptions, source: modelType)
        guard let gateSoftCap = mixer.gateSoftCap, let logitSoftCap = model.logitSoftCap, !model.tieEmbeddings,
            mixer.normEpsilon == model.normEpsilon
        else {
            throw RondoError(
                .invalidArgument,
                "\(modelType) cannot hold this model: gate_soft_cap and logit_soft_cap must be numbers, tie_embeddings "
                    + "must be false, and norm_epsilon of the mixer (\(mixer.normEpsilon)) that of the model "
                    + "(\(model.normEpsilon))")
        }
        var object = JSONObject()
        for key in ["hidden_size", "embedding_dim"] { object[key] = .integer(model.dModel) }
        for key in ["num_hidden_layers", "num_blocks"] { object[key] = .integer(model.nLayers) }
        object["num_heads"] = .integer(mixer.heads)
        object["qk_dim_factor"] = .real(factor(of: mixer.expandKey, dModel: model.dModel))
        object["v_dim_factor"] = .real(factor(of: mixer.expandValue, dModel: model.dModel))
        object["gate_soft_cap"] = .real(gateSoftCap)
        object["output_logit_soft_cap"] = .real(logitSoftCap)
        object["norm_eps"] = .real(model.normEpsilon)
        object["eps"] = .real(mixer.denominatorEpsilon)
        object["ffn_proj_factor"] = .real(
            factor(of: Double(model.feedForwardWidth) / Double(model.dModel), dModel: model.dModel))
        object["ffn_round_up_to_multiple_of"] = .integer(1)
        object["use_bias"] = .bool(false)
        object["weight_mode"] = .string("single")
        return object
    }

    /// Tensors of transformers, in both layouts.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        let isFused = keys["weight_mode"]?.stringValue == "fused"
        map.add("embedding.weight", "backbone.embeddings.weight")
        map.add("norm.weight", "backbone.out_norm.weight")
        map.add("head.weight", "lm_head.weight")
        for index in model.everyLayer.indices {
            let (layer, block) = ("layers.\(index)", "backbone.blocks.\(index)")
            let mixer = "\(block).mlstm_layer"
            map.add("\(layer).norm.weight", "\(block).norm_mlstm.weight")
            map.add("\(layer).feed_forward_norm.weight", "\(block).norm_ffn.weight")
            map.add(
                "\(layer).mixer.norm.weight", "\(mixer).multihead_norm.weight", shape: { [$0.reduce(1, *)] })
            map.addLinear("\(layer).mixer.output", "\(mixer).out_proj")
            map.addLinear("\(layer).feed_forward.down", "\(block).ffn.proj_down")
            if isFused {
                map.addLinear("\(layer).mixer.input", "\(mixer).qkv_opreact")
                map.addLinear("\(layer).mixer.gates", "\(mixer).ifgate_preact")
                let both = ["gate", "up"].map { "\(layer).feed_forward.\($0).weight" }
                map.addJoined(both, "\(block).ffn.proj_up_gate_z.weight")
            } else {
                addSingle(to: &map, layer: layer, mixer: mixer, model)
                map.addLinear("\(layer).feed_forward.gate", "\(block).ffn.proj_up_gate")
                map.addLinear("\(layer).feed_forward.up", "\(block).ffn.proj_up")
            }
        }
    }

    private static func addSingle(
        to map: inout TensorMap, layer: String, mixer: String, _ model: LanguageModelConfiguration
    ) {
        guard let all = map.shape("\(layer).mixer.input.weight"),
            let value = map.shape("\(layer).mixer.output.weight")?[1]
        else { return }
        let key = all[0] / 2 - value
        let maps = [("q", key), ("k", key), ("v", value), ("ogate_preact", value)]
        map.add("\(layer).mixer.input.weight", maps.map { .init("\(mixer).\($0.0).weight", [$0.1, all[1]]) })
        let gates = ["igate_preact", "fgate_preact"]
        map.addStacked("\(layer).mixer.gates.weight", gates.map { "\(mixer).\($0).weight" })
        map.addStacked("\(layer).mixer.gates.bias", gates.map { "\(mixer).\($0).bias" })
    }

    // MARK: - Keys

    /// Keys of kernels, precision and initialisation, and those that the program itself has without any effect: it
    /// always normalises at the end, and never ties the head to the embedding.
    private static func ignoreSpeed(_ keys: inout ConfigurationReader) {
        keys.ignore(
            "chunkwise_kernel", "sequence_kernel", "step_kernel", "mode", "chunk_size", "return_last_states",
            "autocast_kernel_dtype", "inference_state_dtype", "norm_reduction_force_float32",
            "max_inference_chunksize", "mlstm_round_up_to_multiple_of", "forward_backend_name",
            "add_forward_backend_padding", "igate_bias_init_range", "force_bos_token_insert")
        keys.ignore("add_out_norm", "tie_word_embeddings")
        keys.require("add_qk_norm", oneOf: [.bool(false)])
        keys.require("add_post_norm", oneOf: [.bool(false)])
        keys.require("add_post_blocks_norm", oneOf: [.bool(true)])
        keys.require("add_embedding_dropout", oneOf: [.bool(false)])
    }

    /// A number that has two names, which must agree.
    private static func sameInt(
        _ keys: inout ConfigurationReader, _ name: String, _ other: String, default fallback: Int
    ) -> Int {
        let value = keys.value(name) == nil ? keys.int(other, default: fallback) : keys.int(name, default: fallback)
        keys.require(other, oneOf: [.integer(value)])
        return value
    }

    /// A width that is a multiple of the model's, cut off to a whole number.
    private static func width(
        _ keys: inout ConfigurationReader, _ name: String, default fallback: Double, dModel: Int
    ) -> Int {
        let exact = Double(dModel) * keys.double(name, default: fallback)
        guard exact >= 1, exact < 0x1p24 else {
            keys.refuse(name, "times hidden_size must be from 1 to 16777216")
            return 1
        }
        return Int(exact)
    }

    private static func feedForwardSize(_ keys: inout ConfigurationReader, dModel: Int) -> Int {
        let least = Double(dModel) * keys.double("ffn_proj_factor", default: 2.667)
        let multiple = keys.int("ffn_round_up_to_multiple_of", default: 64)
        guard least > 0, least < 0x1p24, (1...1 << 24).contains(multiple) else {
            keys.refuse("ffn_proj_factor", "must give a width from 1 to 16777216, in positive multiples")
            return 1
        }
        // As the program computes it: for widths between two whole numbers, one multiple may be missing.
        return Int((least + Double(multiple) - 1) / Double(multiple)) * multiple
    }

    /// A factor that gives the width of `expansion` again when it is cut off to a whole number.
    private static func factor(of expansion: Double, dModel: Int) -> Double {
        let width = (expansion * Double(dModel)).rounded()
        let factor = width / Double(dModel)
        return Double(dModel) * factor < width ? factor.nextUp : factor
    }
}
