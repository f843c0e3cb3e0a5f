import RondoIO
import RondoMixers
import RondoModels
import RondoTensor

/// What the checkpoints of the Mamba family have in common: keys, and the names of tensors around the scan.
struct MambaBackbone {
    let dModel: Int
    /// Options of the mixer that all have.
    let options: JSONObject
    private let common: LanguageModelConfiguration

    /// Reads the common keys; the arguments are the family's defaults.
    init(from keys: inout ConfigurationReader, vocabSize: Int, dModel: Int, nLayers: Int, ties: Bool) {
        var model = LanguageModelConfiguration()
        model.vocabSize = keys.int("vocab_size", default: vocabSize)
        model.dModel = keys.int("hidden_size", default: dModel)
        model.nLayers = keys.int("num_hidden_layers", default: nLayers)
        model.norm = .rms
        model.normEpsilon = keys.double("layer_norm_epsilon", default: 1e-5)
        model.tieEmbeddings = keys.bool("tie_word_embeddings", default: ties)
        keys.require("hidden_act", oneOf: ["silu", "swish"].map { .string($0) })
        keys.ignore(
            "residual_in_fp32", "rescale_prenorm_residual", "time_step_min", "time_step_max", "time_step_floor",
            "chunk_size")
        let expand = keys.double("expand", default: 2)
        let isPossible = expand == expand.rounded() && (1...64).contains(expand)
        if !isPossible { keys.refuse("expand", "must be a whole number from 1 to 64") }
        // The first checkpoints repeat the original program's keys beside transformers' own.
        keys.require("rms_norm", oneOf: [.bool(true)])
        keys.require("ssm_cfg", oneOf: [[:]])
        keys.ignore("fused_add_norm", "pad_vocab_size_multiple")
        let inner = isPossible ? Int(expand) * model.dModel : 0
        for (key, value) in [("d_model", model.dModel), ("n_layer", model.nLayers), ("d_inner", inner)]
        where keys.int(key, default: value) != value {
            keys.refuse(key, "must be \(value), as the other keys say")
        }
        var options = JSONObject()
        options["expand"] = .integer(isPossible ? Int(expand) : 1)
        options["conv_width"] = .integer(keys.int("conv_kernel", default: 4))
        self.dModel = model.dModel
        self.options = options
        common = model
    }

    /// The model of a mixer with its options.
    func configuration(mixer: String, _ options: JSONObject) -> LanguageModelConfiguration {
        var model = common
        model.mixer = mixer
        model.mixerOptions = .object(options)
        return model
    }

    /// The options of a model that a Mamba checkpoint can hold.
    static func options(of model: LanguageModelConfiguration, family: String) throws -> Mamba.Configuration {
        try model.requirePlainBackbone(family: family, mixer: Mamba.architecture, norm: .rms)
        return try Mamba.Configuration(options: model.mixerOptions, source: family)
    }

    /// The common keys.
    static func keys(for model: LanguageModelConfiguration, expand: Int, convWidth: Int) -> JSONObject {
        var object = JSONObject()
        object["hidden_size"] = .integer(model.dModel)
        object["num_hidden_layers"] = .integer(model.nLayers)
        object["layer_norm_epsilon"] = .real(model.normEpsilon)
        object["expand"] = .integer(expand)
        object["conv_kernel"] = .integer(convWidth)
        object["hidden_act"] = .string("silu")
        return object
    }

    /// The common tensors; `mixer` adds those of a layer's mixer.
    static func addRules(
        to map: inout TensorMap, _ model: LanguageModelConfiguration,
        mixer: (_ map: inout TensorMap, _ parameter: String, _ name: String) -> Void
    ) {
        map.add("embedding.weight", "backbone.embeddings.weight")
        map.add("norm.weight", "backbone.norm_f.weight")
        map.add("head.weight", "lm_head.weight")
        for index in model.everyLayer.indices {
            let (layer, name) = ("layers.\(index)", "backbone.layers.\(index)")
            map.add("\(layer).norm.weight", "\(name).norm.weight")
            map.addLinear("\(layer).mixer.input", "\(name).mixer.in_proj")
            map.addConvolution("\(layer).mixer.conv", "\(name).mixer.conv1d")
            map.add("\(layer).mixer.a_log", "\(name).mixer.A_log")
            map.add("\(layer).mixer.skip", "\(name).mixer.D")
            map.addLinear("\(layer).mixer.output", "\(name).mixer.out_proj")
            mixer(&map, "\(layer).mixer", "\(name).mixer")
        }
    }
}
