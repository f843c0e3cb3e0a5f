public import RondoIO
import RondoMixers
public import RondoModels
import RondoTensor

/// `MambaForCausalLM` of transformers.
public enum MambaFamily: CheckpointFamily {
    /// `mamba`.
    public static let modelType = "mamba"
    /// `MambaForCausalLM`.
    public static let architecture = "MambaForCausalLM"

    /// Reads the keys that Mamba has.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        MambaKeys.configuration(from: &keys, normalizesParameters: false)
    }

    /// Writes the keys that Mamba has.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        try MambaKeys.keys(for: model, family: modelType, normalizesParameters: false)
    }

    /// Tensors of transformers.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        MambaKeys.addRules(to: &map, model)
    }
}

/// `FalconMambaForCausalLM` of transformers: Mamba whose step size, B and C are normalised.
public enum FalconMambaFamily: CheckpointFamily {
    /// `falcon_mamba`.
    public static let modelType = "falcon_mamba"
    /// `FalconMambaForCausalLM`.
    public static let architecture = "FalconMambaForCausalLM"

    /// Reads the keys that Falcon-Mamba has.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        keys.ignore("use_falcon_mambapy")
        return MambaKeys.configuration(from: &keys, normalizesParameters: true)
    }

    /// Writes the keys that Falcon-Mamba has.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        try MambaKeys.keys(for: model, family: modelType, normalizesParameters: true)
    }

    /// Tensors of transformers.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        MambaKeys.addRules(to: &map, model)
    }
}

/// What both families share.
private enum MambaKeys {
    static func configuration(
        from keys: inout ConfigurationReader, normalizesParameters: Bool
    ) -> LanguageModelConfiguration {
        let backbone = MambaBackbone(from: &keys, vocabSize: 50_280, dModel: 768, nLayers: 32, ties: true)
        keys.ignore(
            "use_mambapy", "use_associative_scan", "time_step_scale", "time_step_init_scheme", "intermediate_size")
        let rank = keys.value("time_step_rank")
        if let rank, rank.intValue == nil, rank.stringValue != "auto" {
            keys.refuse("time_step_rank", "must be an integer or \"auto\"")
        }
        var options = backbone.options
        options["state_size"] = .integer(keys.int("state_size", default: 16))
        options["time_step_rank"] = .integer(rank?.intValue ?? (backbone.dModel + 15) / 16)
        options["conv_bias"] = .bool(keys.bool("use_conv_bias", default: true))
        options["bias"] = .bool(keys.bool("use_bias", default: false))
        options["normalizes_parameters"] = .bool(normalizesParameters)
        if normalizesParameters {
            options["parameter_norm_epsilon"] = .real(keys.double("mixer_rms_eps", default: 1e-6))
        }
        return backbone.configuration(mixer: Mamba.architecture, options)
    }

    static func keys(
        for model: LanguageModelConfiguration, family: String, normalizesParameters: Bool
    ) throws -> JSONObject {
        let mamba: Mamba.Configuration = try MambaBackbone.options(of: model, family: family)
        guard mamba.normalizesParameters == normalizesParameters else {
            throw RondoError(
                .invalidArgument,
                "\(family): normalizes_parameters is \(mamba.normalizesParameters), which is the other of mamba and "
                    + "falcon_mamba")
        }
        guard mamba.eigenvalues == .positive else {
            throw RondoError(
                .invalidArgument, "\(family): has no key for eigenvalues = symmetric; the model cannot be exported")
        }
        var object = MambaBackbone.keys(for: model, expand: mamba.expand, convWidth: mamba.convWidth)
        object["state_size"] = .integer(mamba.stateSize)
        object["time_step_rank"] = .integer(mamba.timeStepRank ?? (model.dModel + 15) / 16)
        object["use_conv_bias"] = .bool(mamba.convBias)
        object["use_bias"] = .bool(mamba.bias)
        if normalizesParameters { object["mixer_rms_eps"] = .real(mamba.parameterNormEpsilon) }
        return object
    }

    static func addRules(to map: inout TensorMap, _ model: LanguageModelConfiguration) {
        MambaBackbone.addRules(to: &map, model) { map, mixer, name in
            map.addLinear("\(mixer).parameters", "\(name).x_proj")
            map.addLinear("\(mixer).time_step", "\(name).dt_proj")
        }
    }
}
