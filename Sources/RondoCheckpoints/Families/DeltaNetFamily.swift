public import RondoIO
import RondoMixers
public import RondoModels
import RondoTensor

/// `DeltaNetForCausalLM` of flash-linear-attention.
public enum DeltaNetFamily: CheckpointFamily {
    /// `delta_net`.
    public static let modelType = "delta_net"
    /// `DeltaNetForCausalLM`.
    public static let architecture = "DeltaNetForCausalLM"

    /// Reads the keys that DeltaNet has.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        let backbone = FLABackbone(from: &keys, nLayers: 24)
        keys.require("qk_norm", oneOf: [.string("l2")])
        keys.require("qk_activation", oneOf: [.string("silu")])
        keys.require("use_beta", oneOf: [.bool(true)])
        // Outputs are normalised whatever this says.
        keys.ignore("use_output_norm")
        // Of early versions of the library.
        for key in ["norm_first", "use_elu", "use_rope", "share_conv_kernel"] {
            keys.require(key, oneOf: [.bool(false)])
        }
        var options = DeltaRuleKeys.options(from: &keys, backbone, usesOutputGate: false)
        options["heads"] = .integer(keys.int("num_heads", default: 16))
        options["expand_key"] = .real(keys.double("expand_k", default: 1))
        options["expand_value"] = .real(keys.double("expand_v", default: 1))
        return backbone.configuration(mixer: DeltaNet.architecture, options)
    }

    /// Writes the keys that DeltaNet has.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        try FLABackbone.require(model, family: modelType, mixer: DeltaNet.architecture)
        let delta = try DeltaNet.Configuration(options: model.mixerOptions, source: modelType)
        try FLABackbone.require(
            delta.normEpsilon == model.normEpsilon, "norm_epsilon", delta.normEpsilon, model.normEpsilon,
            family: modelType)
        var object = DeltaRuleKeys.keys(
            for: model, convWidth: delta.convWidth, eigenvalues: delta.eigenvalues, outputGate: delta.outputGate)
        object["num_heads"] = .integer(delta.heads)
        object["expand_k"] = .real(delta.expandKey)
        object["expand_v"] = .real(delta.expandValue)
        return object
    }

    /// Tensors of the library.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        DeltaRuleKeys.addRules(to: &map, model) { map, mixer, name in
            map.addLinear("\(mixer).rates", "\(name).b_proj")
        }
    }
}

/// `GatedDeltaNetForCausalLM` of flash-linear-attention.
public enum GatedDeltaNetFamily: CheckpointFamily {
    /// `gated_deltanet`.
    public static let modelType = "gated_deltanet"
    /// `GatedDeltaNetForCausalLM`.
    public static let architecture = "GatedDeltaNetForCausalLM"

    /// Reads the keys that Gated DeltaNet has.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        let backbone = FLABackbone(from: &keys, nLayers: 21)
        keys.require("output_gate_activation", oneOf: [.string("swish"), .string("silu")])
        var options = DeltaRuleKeys.options(from: &keys, backbone, usesOutputGate: true)
        let (heads, headSize) = (keys.int("num_heads", default: 6), keys.int("head_dim", default: 256))
        let valueHeads = keys.int("num_v_heads", default: heads)
        let expand = keys.double("expand_v", default: 2)
        let valueSize = Double(headSize) * expand
        if valueSize != valueSize.rounded() { keys.refuse("expand_v", "times head_dim must be a whole number") }
        let width = Double(max(1, backbone.dModel))
        options["heads"] = .integer(heads)
        if valueHeads != heads { options["value_heads"] = .integer(valueHeads) }
        options["expand_key"] = .real(Double(heads) * Double(headSize) / width)
        options["expand_value"] = .real(Double(valueHeads) * valueSize / width)
        return backbone.configuration(mixer: GatedDeltaNet.architecture, options)
    }

    /// Writes the keys that Gated DeltaNet has.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        try FLABackbone.require(model, family: modelType, mixer: GatedDeltaNet.architecture)
        let delta = try GatedDeltaNet.Configuration(options: model.mixerOptions, source: modelType)
        try FLABackbone.require(
            delta.normEpsilon == model.normEpsilon, "norm_epsilon", delta.normEpsilon, model.normEpsilon,
            family: modelType)
        var object = DeltaRuleKeys.keys(
            for: model, convWidth: delta.convWidth, eigenvalues: delta.eigenvalues, outputGate: delta.outputGate)
        let valueHeads = delta.valueHeads ?? delta.heads
        let keySize = Int((delta.expandKey * Double(model.dModel)).rounded()) / delta.heads
        let valueSize = Int((delta.expandValue * Double(model.dModel)).rounded()) / valueHeads
        object["num_heads"] = .integer(delta.heads)
        object["num_v_heads"] = .integer(valueHeads)
        object["head_dim"] = .integer(keySize)
        object["expand_v"] = .real(Double(valueSize) / Double(keySize))
        return object
    }

    /// Tensors of the library.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        DeltaRuleKeys.addRules(to: &map, model) { map, mixer, name in
            map.addStacked("\(mixer).rates.weight", ["b", "a"].map { "\(name).\($0)_proj.weight" })
            map.add("\(mixer).a_log", "\(name).A_log")
            map.add("\(mixer).time_step_bias", "\(name).dt_bias")
        }
    }
}

/// What both families share.
private enum DeltaRuleKeys {
    /// The options that both mixers have; the last argument is the family's default.
    static func options(
        from keys: inout ConfigurationReader, _ backbone: FLABackbone, usesOutputGate: Bool
    ) -> JSONObject {
        let width = keys.int("conv_size", default: 4)
        let convolves = keys.bool("use_short_conv", default: true)
        let isSymmetric = keys.bool("allow_neg_eigval", default: false)
        keys.require("conv_bias", oneOf: [.bool(false)])
        var options = JSONObject()
        options["conv_width"] = .integer(convolves ? width : 0)
        options["eigenvalues"] = .string((isSymmetric ? EigenvalueRange.symmetric : .positive).rawValue)
        options["output_gate"] = .bool(keys.bool("use_gate", default: usesOutputGate))
        options["norm_epsilon"] = .real(backbone.normEpsilon)
        return options
    }

    static func keys(
        for model: LanguageModelConfiguration, convWidth: Int, eigenvalues: EigenvalueRange, outputGate: Bool
    ) -> JSONObject {
        var object = FLABackbone.keys(for: model)
        object["use_short_conv"] = .bool(convWidth > 0)
        if convWidth > 0 { object["conv_size"] = .integer(convWidth) }
        object["allow_neg_eigval"] = .bool(eigenvalues == .symmetric)
        object["use_gate"] = .bool(outputGate)
        return object
    }

    static func addRules(
        to map: inout TensorMap, _ model: LanguageModelConfiguration,
        mixer own: (_ map: inout TensorMap, _ parameter: String, _ name: String) -> Void
    ) {
        FLABackbone.addRules(to: &map, model) { map, mixer, name in
            let value = map.shape("\(mixer).output.weight")?[1] ?? 0
            let rows = map.shape("\(mixer).input.weight")?[0] ?? 0
            let isGated = model.mixerOptions?["output_gate"] == .bool(true)
            let key = (rows - (isGated ? 2 : 1) * value) / 2
            map.addProjections(
                "\(mixer).input.weight", name, keyWidth: key, valueWidth: value, width: model.dModel,
                isGated: isGated)
            map.addConvolutions("\(mixer).conv.weight", name, keyWidth: key, valueWidth: value)
            map.add("\(mixer).norm.weight", "\(name).o_norm.weight")
            map.addLinear("\(mixer).output", "\(name).o_proj")
            own(&map, mixer, name)
        }
    }
}
