import RondoIO
import RondoMixers
import RondoModels
import RondoTensor

/// What the models of flash-linear-attention have in common: keys, and the names of tensors around the mixer.
///
/// Every layer is a mixer and a SwiGLU part, each after a root-mean-square norm.
struct FLABackbone {
    let dModel: Int
    let normEpsilon: Double
    private let common: LanguageModelConfiguration

    /// Reads the common keys; the argument is the family's default.
    init(from keys: inout ConfigurationReader, nLayers: Int) {
        var model = LanguageModelConfiguration()
        Self.readSize(&model, from: &keys, nLayers: nLayers)
        model.norm = .rms
        // The second name is that of early versions of the library.
        model.normEpsilon = keys.double("norm_eps", default: keys.double("rms_norm_eps", default: 1e-6))
        model.feedForward = .swiGLU
        // Two thirds of the ratio, as there are three maps, up to a whole number of 256.
        let ratio = keys.double("hidden_ratio", default: 4)
        model.feedForwardSize = keys.int(
            "intermediate_size", default: Self.roundedUp(Double(model.dModel) * ratio * 2 / 3, to: 256))
        keys.require("hidden_act", oneOf: [.string("swish")])
        keys.require("elementwise_affine", oneOf: [.bool(true)])
        keys.ignore("fuse_norm", "fuse_swiglu", "chunk_size")
        dModel = model.dModel
        normEpsilon = model.normEpsilon
        common = model
    }

    /// Reads the keys that all models of the library have.
    static func readSize(
        _ model: inout LanguageModelConfiguration, from keys: inout ConfigurationReader, nLayers: Int
    ) {
        model.vocabSize = keys.int("vocab_size", default: 32_000)
        model.dModel = keys.int("hidden_size", default: 2048)
        model.nLayers = keys.int("num_hidden_layers", default: nLayers)
        model.tieEmbeddings = keys.bool("tie_word_embeddings", default: false)
        keys.ignore("attn_mode", "fuse_cross_entropy", "fuse_linear_cross_entropy", "use_l2warp")
        for key in ["attn", "attnres_block_size"] where keys.value(key) != nil {
            keys.refuse(key, "must be null: such layers are not supported")
        }
    }

    /// The least multiple that is not below the whole part of a number; 0 for numbers beyond all sizes.
    static func roundedUp(_ number: Double, to multiple: Int) -> Int {
        guard number >= 0, number < 1e12 else { return 0 }
        return (Int(number) + multiple - 1) / multiple * multiple
    }

    /// The model of a mixer with its options.
    func configuration(mixer: String, _ options: JSONObject) -> LanguageModelConfiguration {
        var model = common
        model.mixer = mixer
        model.mixerOptions = .object(options)
        return model
    }

    /// Refuses to write a model with another backbone.
    ///
    /// - Throws: `RondoError` that names the key.
    static func require(_ model: LanguageModelConfiguration, family: String, mixer: String) throws {
        try model.requirePlainBackbone(family: family, mixer: mixer, norm: .rms, feedForward: .swiGLU)
    }

    /// Refuses to write a mixer that has an option which the family does not have.
    ///
    /// - Throws: `RondoError` that names the option.
    static func require(
        _ holds: Bool, _ key: String, _ value: Any, _ wanted: Any, family: String
    ) throws {
        guard !holds else { return }
        throw RondoError(
            .invalidArgument, "\(family) cannot hold this model: \(key) of the mixer is \(value), must be \(wanted)")
    }

    /// The common keys.
    static func keys(for model: LanguageModelConfiguration) -> JSONObject {
        var object = sizeKeys(for: model)
        // As in the model: its own default is another one.
        object["intermediate_size"] = .integer(model.feedForwardSize ?? (8 * model.dModel / 3 + 7) / 8 * 8)
        object["hidden_act"] = .string("swish")
        return object
    }

    /// The keys that all models of the library have.
    static func sizeKeys(for model: LanguageModelConfiguration) -> JSONObject {
        var object = JSONObject()
        object["hidden_size"] = .integer(model.dModel)
        object["num_hidden_layers"] = .integer(model.nLayers)
        object["norm_eps"] = .real(model.normEpsilon)
        return object
    }

    /// The common tensors; `mixer` adds those of a layer's mixer.
    static func addRules(
        to map: inout TensorMap, _ model: LanguageModelConfiguration,
        mixer: (_ map: inout TensorMap, _ parameter: String, _ name: String) -> Void
    ) {
        map.add("embedding.weight", "model.embeddings.weight")
        map.add("norm.weight", "model.norm.weight")
        map.add("head.weight", "lm_head.weight")
        for index in model.everyLayer.indices {
            let (layer, name) = ("layers.\(index)", "model.layers.\(index)")
            map.add("\(layer).norm.weight", "\(name).attn_norm.weight")
            map.add("\(layer).feed_forward_norm.weight", "\(name).mlp_norm.weight")
            addFeedForward(to: &map, "\(layer).feed_forward", "\(name).mlp")
            mixer(&map, "\(layer).mixer", "\(name).attn")
        }
    }

    /// SwiGLU; early files have both maps to the inside in one tensor, the gate's first.
    private static func addFeedForward(to map: inout TensorMap, _ parameter: String, _ name: String) {
        map.addLinear("\(parameter).down", "\(name).down_proj")
        let both = "\(name).gate_proj.weight"
        if map.fileShape(both) != nil, map.fileShape("\(name).up_proj.weight") == nil {
            map.addJoined(["\(parameter).gate.weight", "\(parameter).up.weight"], both)
        } else {
            map.addLinear("\(parameter).gate", "\(name).gate_proj")
            map.addLinear("\(parameter).up", "\(name).up_proj")
        }
    }
}

extension TensorMap {
    /// Maps to queries, keys and values below one another, then (where the model has it) to the output gate.
    mutating func addProjections(
        _ parameter: String, _ name: String, keyWidth: Int, valueWidth: Int, width: Int, isGated: Bool
    ) {
        var parts = [("q", keyWidth), ("k", keyWidth), ("v", valueWidth)]
        if isGated { parts.append(("g", valueWidth)) }
        add(parameter, parts.map { .init("\(name).\($0)_proj.weight", [$1, width]) })
    }

    /// The taps of convolutions over queries, keys and values.
    mutating func addConvolutions(_ parameter: String, _ name: String, keyWidth: Int, valueWidth: Int) {
        guard let width = shape(parameter)?.last else { return }
        let parts = [("q", keyWidth), ("k", keyWidth), ("v", valueWidth)]
        add(parameter, parts.map { .init("\(name).\($0)_conv1d.weight", [$1, 1, width]) })
    }
}
