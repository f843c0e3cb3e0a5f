public import RondoIO
import RondoMixers
public import RondoModels
import RondoTensor

/// `RWKV7ForCausalLM` of flash-linear-attention.
public enum RWKV7Family: CheckpointFamily {
    /// `rwkv7`.
    public static let modelType = "rwkv7"
    /// `RWKV7ForCausalLM`.
    public static let architecture = "RWKV7ForCausalLM"
    /// What is added to the squared length of keys: by the library's kernel, and (as good as nothing) by torch.
    private static let (kernelEpsilon, torchEpsilon) = (1e-6, 1e-24)

    /// Reads the keys that RWKV-7 has.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        var model = LanguageModelConfiguration()
        FLABackbone.readSize(&model, from: &keys, nLayers: 24)
        model.norm = .layer
        model.normEpsilon = keys.double("norm_eps", default: 1e-5)
        model.embeddingNorm = keys.bool("norm_first", default: true) ? .layer : .none
        keys.require("norm_bias", oneOf: [.bool(true)])
        keys.require("hidden_act", oneOf: [.string("sqrelu")])
        checkValueWidths(&keys, model.dModel)
        let ratio = keys.double("hidden_ratio", default: 4)
        let hidden = keys.int(
            "intermediate_size", default: FLABackbone.roundedUp(Double(model.dModel) * ratio, to: 32))
        let time = timeMixing(from: &keys, model)
        let blocks = (0..<keys.layerCount("num_hidden_layers", default: 24)).map { index in
            var own = time
            let mixing: RWKV7.ValueMixing = index == 0 ? .first : .upper
            own["value_mixing"] = .string(mixing.rawValue)
            return own
        }
        model.layers = RWKVBackbone.layers(
            timeMixing: RWKV7.architecture, blocks, hiddenSize: hidden, receptance: false)
        return model
    }

    private static func checkValueWidths(_ keys: inout ConfigurationReader, _ width: Int) {
        guard let value = keys.value("value_dim") else { return }
        let widths = value.arrayValue ?? [value]
        if !widths.allSatisfy({ $0.intValue == width }) { keys.refuse("value_dim", "must be hidden_size (\(width))") }
    }

    private static func timeMixing(
        from keys: inout ConfigurationReader, _ model: LanguageModelConfiguration
    ) -> JSONObject {
        var heads = keys.int("num_heads", default: 0)
        var headSize = keys.int("head_dim", default: 64)
        if keys.value("head_dim") == nil, heads > 0 { headSize = model.dModel / heads }
        if headSize < 1 || model.dModel % headSize != 0 {
            keys.refuse("head_dim", "must divide hidden_size (\(model.dModel))")
            headSize = max(1, model.dModel)
        }
        heads = model.dModel / headSize
        let isFused = keys.bool("fuse_norm", default: true)
        var options = JSONObject()
        options["heads"] = .integer(heads)
        options["decay_rank"] = .integer(keys.int("decay_low_rank_dim", default: 64))
        options["gate_rank"] = .integer(keys.int("gate_low_rank_dim", default: 128))
        options["rate_rank"] = .integer(keys.int("a_low_rank_dim", default: 64))
        options["value_rank"] = .integer(keys.int("v_low_rank_dim", default: 16))
        options["norm_epsilon"] = .real(Double(headSize) * model.normEpsilon)
        options["key_epsilon"] = .real(isFused ? kernelEpsilon : torchEpsilon)
        return options
    }

    /// Writes the keys that RWKV-7 has.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        let blocks = try RWKVBackbone.blocks(
            of: model, family: modelType, timeMixing: RWKV7.architecture, receptance: false)
        func require(_ holds: Bool, _ key: String, _ value: Any, _ wanted: Any) throws {
            try FLABackbone.require(holds, key, value, wanted, family: modelType)
        }
        let times = try blocks.map { try RWKV7.Configuration(options: $0.time, source: modelType) }
        let hidden = blocks.map { $0.channel.hiddenSize ?? 4 * model.dModel }
        guard let time = times.first, let size = hidden.first else { return JSONObject() }
        for (index, own) in times.enumerated() {
            let mixing: RWKV7.ValueMixing = index == 0 ? .first : .upper
            try require(own.valueMixing == mixing, "value_mixing", own.valueMixing.rawValue, mixing.rawValue)
            var alike = own
            alike.valueMixing = time.valueMixing
            try require(alike == time && hidden[index] == size, "options", "different", "the same in all blocks")
        }
        let headSize = model.dModel / time.heads
        let epsilon = Double(headSize) * model.normEpsilon
        try require(time.normEpsilon == epsilon, "norm_epsilon", time.normEpsilon, epsilon)
        try require(
            [kernelEpsilon, torchEpsilon].contains(time.keyEpsilon), "key_epsilon", time.keyEpsilon,
            "\(kernelEpsilon) or \(torchEpsilon)")
        try require(model.embeddingNorm != .rms, "embedding_norm", model.embeddingNorm.rawValue, "layer or none")
        var object = FLABackbone.sizeKeys(for: model)
        object["num_hidden_layers"] = .integer(blocks.count)
        object["intermediate_size"] = .integer(size)
        object["hidden_act"] = .string("sqrelu")
        object["head_dim"] = .integer(headSize)
        object["decay_low_rank_dim"] = .integer(time.decayRank)
        object["gate_low_rank_dim"] = .integer(time.gateRank)
        object["a_low_rank_dim"] = .integer(time.rateRank)
        object["v_low_rank_dim"] = .integer(time.valueRank)
        object["norm_first"] = .bool(model.embeddingNorm == .layer)
        object["norm_bias"] = .bool(true)
        object["fuse_norm"] = .bool(time.keyEpsilon == kernelEpsilon)
        return object
    }

    /// Tensors of the library; early files have the six shares of the position before in one.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        map.add("embedding.weight", "model.embeddings.weight")
        map.addNorm("embedding_norm", "model.layers.0.pre_norm")
        map.addNorm("norm", "model.norm")
        map.add("head.weight", "lm_head.weight")
        for index in 0..<model.everyLayer.count / 2 {
            let (time, channel) = ("layers.\(2 * index)", "layers.\(2 * index + 1)")
            let name = "model.layers.\(index)"
            map.addNorm("\(time).norm", "\(name).attn_norm")
            map.addNorm("\(channel).norm", "\(name).ffn_norm")
            addTimeMixing(to: &map, "\(time).mixer", "\(name).attn", width: model.dModel)
            map.add("\(channel).mixer.mix", "\(name).ffn.x_k", shape: { [$0[1]] })
            map.addLinear("\(channel).mixer.key", "\(name).ffn.key")
            map.addLinear("\(channel).mixer.value", "\(name).ffn.value")
        }
    }

    private static func addTimeMixing(to map: inout TensorMap, _ mixer: String, _ name: String, width: Int) {
        if map.fileShape("\(name).x_x") != nil {
            map.add("\(mixer).mix", "\(name).x_x")
        } else {
            map.add("\(mixer).mix", ["r", "w", "k", "v", "a", "g"].map { .init("\(name).x_\($0)", [1, 1, width]) })
        }
        for (place, part) in ["r", "k", "v"].enumerated() {
            map.addLinear("\(mixer).maps.\(place)", "\(name).\(part)_proj")
        }
        for (part, lora) in [("decay", "w"), ("rate", "a"), ("gate", "g"), ("value_share", "v")] {
            map.addLinear("\(mixer).\(part).down", "\(name).\(lora)_lora.lora.0")
            map.addLinear("\(mixer).\(part).up", "\(name).\(lora)_lora.lora.2")
        }
        map.add("\(mixer).key_scales", ["k_k", "k_a"].map { .init("\(name).\($0)", [width]) })
        map.add("\(mixer).bonus", "\(name).r_k")
        map.add("\(mixer).norm.weight", "\(name).g_norm.weight", shape: { [$0.reduce(1, *)] })
        map.add("\(mixer).norm.bias", "\(name).g_norm.bias", shape: { [$0.reduce(1, *)] })
        map.addLinear("\(mixer).output", "\(name).o_proj")
    }
}
