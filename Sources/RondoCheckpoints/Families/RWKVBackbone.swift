import RondoIO
import RondoMixers
import RondoModels
import RondoTensor

/// What models of RWKV have in common: blocks of two residual layers, time mixing and then channel mixing, with layer
/// norms, one of them right after the embedding.
enum RWKVBackbone {
    /// Refuses to write a model that is not made of such blocks.
    ///
    /// - Returns: The blocks.
    /// - Throws: `RondoError` that names the key.
    static func blocks(
        of model: LanguageModelConfiguration, family: String, timeMixing: String, receptance: Bool
    ) throws -> [(time: JSONValue?, channel: RWKVChannelMix.Configuration)] {
        func need(_ fits: Bool, _ key: String, _ value: Any, _ wanted: String) throws {
            guard !fits else { return }
            throw RondoError(
                .invalidArgument, "\(family) cannot hold this model: \(key) is \(value), must be \(wanted)")
        }
        let layers = model.everyLayer
        let names = [timeMixing, RWKVChannelMix.architecture]
        try need(
            layers.count % 2 == 0 && layers.enumerated().allSatisfy { $1.mixer == names[$0 % 2] }, "mixer",
            model.shortName, names.joined(separator: ",") + " in turn")
        try need(model.norm == .layer, "norm", model.norm.rawValue, "layer")
        try need(model.residual, "residual", model.residual, "true")
        try need(model.feedForward == .none, "feed_forward", model.feedForward.rawValue, "none")
        try need(model.embeddingScale == 1, "embedding_scale", model.embeddingScale, "1")
        try need(model.logitSoftCap == nil, "logit_soft_cap", model.logitSoftCap ?? 0, "absent")
        try need(model.tieEmbeddings || !model.headBias, "head_bias", model.headBias, "false")
        return try stride(from: 0, to: layers.count, by: 2).map { index in
            let channel = try RWKVChannelMix.Configuration(options: layers[index + 1].options, source: family)
            try need(channel.receptance == receptance, "receptance", channel.receptance, "\(receptance)")
            return (layers[index].options, channel)
        }
    }

    /// A model's layers, from the time mixing of each block.
    static func layers(
        timeMixing: String, _ options: [JSONObject], hiddenSize: Int, receptance: Bool
    ) -> [LanguageModelConfiguration.Layer] {
        var channel = JSONObject()
        channel["hidden_size"] = .integer(hiddenSize)
        channel["receptance"] = .bool(receptance)
        return options.flatMap { own in
            [
                .init(mixer: timeMixing, options: .object(own)),
                .init(mixer: RWKVChannelMix.architecture, options: .object(channel)),
            ]
        }
    }
}

extension TensorMap {
    /// A norm's gains and, where the model has them, offsets.
    mutating func addNorm(_ parameter: String, _ name: String) { addLinear(parameter, name) }

    /// Weights of the position before, one row of a parameter for each of several tensors that weigh the present.
    mutating func addPresentShares(_ parameter: String, _ names: [String], shape: Shape) {
        add(parameter, names.map { .init($0, shape) }, .affine(-1, 1))
    }
}
