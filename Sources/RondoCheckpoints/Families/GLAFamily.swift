public import RondoIO
import RondoMixers
public import RondoModels
import RondoTensor

/// `GLAForCausalLM` of flash-linear-attention: gated linear attention.
public enum GLAFamily: CheckpointFamily {
    /// `gla`.
    public static let modelType = "gla"
    /// `GLAForCausalLM`.
    public static let architecture = "GLAForCausalLM"
    /// What the library builds every layer with: the rank of the decays' map, and the divisor of their logarithms.
    private static let (gateRank, gateNormalizer) = (16, 16)

    /// Reads the keys that GLA has.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        let backbone = FLABackbone(from: &keys, nLayers: 24)
        let heads = keys.int("num_heads", default: 4)
        if keys.int("num_kv_heads", default: heads) != heads {
            keys.refuse("num_kv_heads", "must be num_heads (\(heads)) or null")
        }
        for key in ["feature_map", "clamp_min"] where keys.value(key) != nil { keys.refuse(key, "must be null") }
        keys.require("use_short_conv", oneOf: [.bool(false)])
        keys.require("use_output_gate", oneOf: [.bool(true)])
        keys.require("use_gk", oneOf: [.bool(true)])
        keys.require("use_gv", oneOf: [.bool(false)])
        keys.require("gate_low_rank_dim", oneOf: [.integer(gateRank)])
        keys.require("gate_logit_normalizer", oneOf: [.integer(gateNormalizer)])
        keys.ignore("conv_size")
        var options = JSONObject()
        options["heads"] = .integer(heads)
        options["expand_key"] = .real(keys.double("expand_k", default: 0.5))
        options["expand_value"] = .real(keys.double("expand_v", default: 1))
        options["gate_rank"] = .integer(gateRank)
        options["gate_normalizer"] = .real(Double(gateNormalizer))
        options["norm_epsilon"] = .real(backbone.normEpsilon)
        return backbone.configuration(mixer: GLA.architecture, options)
    }

    /// Writes the keys that GLA has.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        try FLABackbone.require(model, family: modelType, mixer: GLA.architecture)
        let gla = try GLA.Configuration(options: model.mixerOptions, source: modelType)
        func require(_ holds: Bool, _ key: String, _ value: Any, _ wanted: Any) throws {
            try FLABackbone.require(holds, key, value, wanted, family: modelType)
        }
        try require(gla.gateRank == gateRank, "gate_rank", gla.gateRank, gateRank)
        try require(
            gla.gateNormalizer == Double(gateNormalizer), "gate_normalizer", gla.gateNormalizer, gateNormalizer)
        try require(gla.normEpsilon == model.normEpsilon, "norm_epsilon", gla.normEpsilon, model.normEpsilon)
        var object = FLABackbone.keys(for: model)
        object["num_heads"] = .integer(gla.heads)
        object["expand_k"] = .real(gla.expandKey)
        object["expand_v"] = .real(gla.expandValue)
        return object
    }

    /// Tensors of the library; the head norm has another name where norm and gate are not one kernel.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        let norm = keys["fuse_norm"] == .bool(false) ? "g_norm" : "g_norm_swish_gate"
        FLABackbone.addRules(to: &map, model) { map, mixer, name in
            let value = map.shape("\(mixer).output.weight")?[1] ?? 0
            let key = map.shape("\(mixer).decay.up.weight")?[0] ?? 0
            map.addProjections(
                "\(mixer).input.weight", name, keyWidth: key, valueWidth: value, width: model.dModel, isGated: true)
            map.addLinear("\(mixer).decay.down", "\(name).gk_proj.0")
            map.addLinear("\(mixer).decay.up", "\(name).gk_proj.1")
            map.add("\(mixer).norm.weight", "\(name).\(norm).weight")
            map.addLinear("\(mixer).output", "\(name).o_proj")
        }
    }
}
