public import RondoIO
import RondoMixers
public import RondoModels
import RondoTensor

/// `RwkvForCausalLM` of transformers: RWKV-4.
public enum RWKVFamily: CheckpointFamily {
    /// `rwkv`.
    public static let modelType = "rwkv"
    /// `RwkvForCausalLM`.
    public static let architecture = "RwkvForCausalLM"
    /// transformers builds the last norm with this, whatever the configuration says.
    private static let lastNormEpsilon = 1e-5

    /// Reads the keys that RWKV-4 has.
    ///
    /// `rescale_every` halves the residual stream for float16's range, which changes nothing but the share of the norms'
    /// epsilon; it is left out.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        var model = LanguageModelConfiguration()
        model.vocabSize = keys.int("vocab_size", default: 50_277)
        model.dModel = keys.int("hidden_size", default: 4096)
        model.norm = .layer
        model.embeddingNorm = .layer
        model.normEpsilon = keys.double("layer_norm_epsilon", default: lastNormEpsilon)
        if model.normEpsilon != lastNormEpsilon {
            keys.refuse("layer_norm_epsilon", "must be \(lastNormEpsilon), which the last norm has in any case")
        }
        model.tieEmbeddings = keys.bool("tie_word_embeddings", default: false)
        keys.ignore("context_length", "rescale_every")
        var time = JSONObject()
        time["width"] = .integer(keys.int("attention_hidden_size", default: model.dModel))
        let blocks = keys.layerCount("num_hidden_layers", default: 32)
        model.layers = RWKVBackbone.layers(
            timeMixing: RWKV4.architecture, Array(repeating: time, count: blocks),
            hiddenSize: keys.int("intermediate_size", default: 4 * model.dModel), receptance: true)
        return model
    }

    /// Writes the keys that RWKV-4 has.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        let blocks = try RWKVBackbone.blocks(
            of: model, family: modelType, timeMixing: RWKV4.architecture, receptance: true)
        let widths = try blocks.map {
            try RWKV4.Configuration(options: $0.time, source: modelType).width ?? model.dModel
        }
        let hidden = blocks.map { $0.channel.hiddenSize ?? 4 * model.dModel }
        guard let width = widths.first, let size = hidden.first, Set(widths).count == 1, Set(hidden).count == 1,
            model.embeddingNorm == .layer, model.normEpsilon == lastNormEpsilon
        else {
            throw RondoError(
                .invalidArgument,
                "\(modelType) cannot hold this model: all blocks must be alike, embedding_norm (it is "
                    + "\(model.embeddingNorm.rawValue)) must be layer, and norm_epsilon (it is \(model.normEpsilon)) "
                    + "\(lastNormEpsilon)")
        }
        var object = JSONObject()
        object["hidden_size"] = .integer(model.dModel)
        object["num_hidden_layers"] = .integer(blocks.count)
        object["attention_hidden_size"] = .integer(width)
        object["intermediate_size"] = .integer(size)
        object["layer_norm_epsilon"] = .real(model.normEpsilon)
        return object
    }

    /// Tensors of transformers.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        map.add("embedding.weight", "rwkv.embeddings.weight")
        map.addNorm("embedding_norm", "rwkv.blocks.0.pre_ln")
        map.addNorm("norm", "rwkv.ln_out")
        map.add("head.weight", "head.weight")
        let row: Shape = [1, 1, model.dModel]
        for index in 0..<model.everyLayer.count / 2 {
            let (time, channel) = ("layers.\(2 * index)", "layers.\(2 * index + 1)")
            let name = "rwkv.blocks.\(index)"
            map.addNorm("\(time).norm", "\(name).ln1")
            map.addNorm("\(channel).norm", "\(name).ln2")
            let attention = "\(name).attention"
            map.addPresentShares(
                "\(time).mixer.mix", ["receptance", "key", "value"].map { "\(attention).time_mix_\($0)" }, shape: row)
            for (place, part) in ["receptance", "key", "value"].enumerated() {
                map.addLinear("\(time).mixer.maps.\(place)", "\(attention).\(part)")
            }
            map.add("\(time).mixer.decay", "\(attention).time_decay")
            map.add("\(time).mixer.bonus", "\(attention).time_first")
            map.addLinear("\(time).mixer.output", "\(attention).output")
            let feed = "\(name).feed_forward"
            map.addPresentShares(
                "\(channel).mixer.mix", ["key", "receptance"].map { "\(feed).time_mix_\($0)" }, shape: row)
            for part in ["key", "value", "receptance"] {
                map.addLinear("\(channel).mixer.\(part)", "\(feed).\(part)")
            }
        }
    }
}
