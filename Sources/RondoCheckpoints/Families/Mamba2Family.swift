public import RondoIO
import RondoMixers
public import RondoModels
import RondoTensor

/// `Mamba2ForCausalLM` of transformers.
public enum Mamba2Family: CheckpointFamily {
    /// `mamba2`.
    public static let modelType = "mamba2"
    /// `Mamba2ForCausalLM`.
    public static let architecture = "Mamba2ForCausalLM"

    /// Reads the keys that Mamba-2 has.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        let backbone = MambaBackbone(from: &keys, vocabSize: 32_768, dModel: 4096, nLayers: 64, ties: false)
        keys.ignore("time_step_rank")
        keys.require("norm_before_gate", oneOf: [.bool(false)])
        var options = backbone.options
        let (heads, headSize) = (keys.int("num_heads", default: 128), keys.int("head_dim", default: 64))
        let inner = backbone.dModel * (options["expand"]?.intValue ?? 2)
        if heads * headSize != inner {
            keys.refuse("num_heads", "times head_dim \(headSize) must be expand * hidden_size, which is \(inner)")
        }
        options["head_size"] = .integer(headSize)
        options["state_size"] = .integer(keys.int("state_size", default: 128))
        options["groups"] = .integer(keys.int("n_groups", default: 8))
        options["bias"] = .bool(keys.bool("use_bias", default: false))
        options["conv_bias"] = .bool(keys.bool("use_conv_bias", default: true))
        let limits = keys.doubles("time_step_limit", default: [0, .infinity])
        if limits.count != 2 { keys.refuse("time_step_limit", "must be two numbers") }
        options["time_step_min"] = .real(limits.first ?? 0)
        if let upper = limits.last, upper.isFinite { options["time_step_max"] = .real(upper) }
        options["norm_epsilon"] = .real(keys.double("layer_norm_epsilon", default: 1e-5))
        return backbone.configuration(mixer: Mamba2.architecture, options)
    }

    /// Writes the keys that Mamba-2 has.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        try model.requirePlainBackbone(family: modelType, mixer: Mamba2.architecture, norm: .rms)
        let mamba = try Mamba2.Configuration(options: model.mixerOptions, source: modelType)
        guard mamba.gateBeforeNorm, mamba.normEpsilon == model.normEpsilon else {
            throw RondoError(
                .invalidArgument,
                "\(modelType) cannot hold this model: gate_before_norm must be true, and norm_epsilon of the mixer "
                    + "(\(mamba.normEpsilon)) that of the model (\(model.normEpsilon))")
        }
        var object = MambaBackbone.keys(for: model, expand: mamba.expand, convWidth: mamba.convWidth)
        let headSize = min(mamba.headSize, mamba.expand * model.dModel)
        object["num_heads"] = .integer(mamba.expand * model.dModel / headSize)
        object["head_dim"] = .integer(headSize)
        object["state_size"] = .integer(mamba.stateSize)
        object["n_groups"] = .integer(mamba.groups)
        object["use_bias"] = .bool(mamba.bias)
        object["use_conv_bias"] = .bool(mamba.convBias)
        object["time_step_limit"] = .array([
            .real(mamba.timeStepMin), mamba.timeStepMax.map { .real($0) } ?? ["__float__": .string("Infinity")],
        ])
        return object
    }

    /// Tensors of transformers.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        MambaBackbone.addRules(to: &map, model) { map, mixer, name in
            map.add("\(mixer).time_step_bias", "\(name).dt_bias")
            map.add("\(mixer).norm.weight", "\(name).norm.weight")
        }
    }
}
