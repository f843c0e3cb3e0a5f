public import RondoIO
import RondoMixers
public import RondoModels
import RondoTensor

/// `RecurrentGemmaForCausalLM` of transformers: Griffin, recurrent blocks with local attention between them.
public enum RecurrentGemmaFamily: CheckpointFamily {
    /// `recurrent_gemma`.
    public static let modelType = "recurrent_gemma"
    /// `RecurrentGemmaForCausalLM`.
    public static let architecture = "RecurrentGemmaForCausalLM"

    /// Reads the keys that RecurrentGemma has.
    public static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration {
        keys.ignore("w_init_variance_scale", "final_w_init_variance_scale")
        keys.require("hidden_activation", oneOf: [.string("gelu_pytorch_tanh")])
        keys.require("embeddings_scale_by_sqrt_dim", oneOf: [.bool(true)])
        var model = LanguageModelConfiguration()
        model.vocabSize = keys.int("vocab_size", default: 256_000)
        model.dModel = keys.int("hidden_size", default: 2560)
        model.nLayers = keys.layerCount("num_hidden_layers", default: 26)
        model.norm = .rms
        model.normEpsilon = keys.double("rms_norm_eps", default: 1e-6)
        model.tieEmbeddings = keys.bool("tie_word_embeddings", default: true)
        model.embeddingScale = embeddingScale(dModel: model.dModel)
        model.logitSoftCap = keys.double("logits_soft_cap", default: 30)
        model.feedForward = .geGLU
        model.feedForwardSize = keys.int("intermediate_size", default: 7680) / 2
        model.feedForwardBias = true
        let heads = keys.int("num_attention_heads", default: 10)
        let recurrent = LanguageModelConfiguration.Layer(
            mixer: RGLRU.architecture, options: recurrentOptions(&keys, heads: heads, dModel: model.dModel))
        let attention = LanguageModelConfiguration.Layer(
            mixer: SlidingWindowAttention.architecture,
            options: attentionOptions(&keys, heads: heads, dModel: model.dModel))
        let kinds = keys.strings("block_types", default: [Block.recurrent, Block.recurrent, Block.attention])
        guard !kinds.isEmpty, kinds.allSatisfy({ $0 == Block.recurrent || $0 == Block.attention }) else {
            keys.refuse("block_types", "must list \"recurrent\" and \"attention\"")
            return model
        }
        keys.require("_block_types", oneOf: [.array(kinds.map { .string($0) })])
        model.layers = (0..<model.nLayers).map { kinds[$0 % kinds.count] == Block.recurrent ? recurrent : attention }
        return model
    }

    private enum Block {
        static let recurrent = "recurrent"
        static let attention = "attention"
    }

    private static func recurrentOptions(_ keys: inout ConfigurationReader, heads: Int, dModel: Int) -> JSONValue {
        [
            "lru_width": .integer(keys.int("lru_width", default: dModel)), "heads": .integer(heads),
            "conv_width": .integer(keys.int("conv1d_width", default: 4)), "unscaled_first": .bool(true),
            "gate_activation": .string(RGLRU.Configuration.GateActivation.geluTanh.rawValue),
        ]
    }

    private static func attentionOptions(_ keys: inout ConfigurationReader, heads: Int, dModel: Int) -> JSONValue {
        let headSize = keys.int("head_dim", default: heads > 0 ? dModel / heads : 0)
        let rotary = RotaryKeys(from: &keys)
        let bias = keys.bool("attention_bias", default: false)
        return [
            "window": .integer(keys.int("attention_window_size", default: 2048)), "heads": .integer(heads),
            "kv_heads": .integer(keys.int("num_key_value_heads", default: heads)),
            "head_size": .integer(headSize), "rope_base": .real(rotary.base),
            "rope_fraction": .real(rotary.fraction), "bias": .bool(bias), "output_bias": .bool(true),
        ]
    }

    /// √hidden_size as bfloat16, the type that the program keeps it in.
    private static func embeddingScale(dModel: Int) -> Double {
        let bits = Float(max(1, dModel)).squareRoot().bitPattern
        // To the nearest, of two equally near ones to the even one.
        return Double(Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000))
    }
}

// MARK: - Writing

extension RecurrentGemmaFamily {
    /// Writes the keys that RecurrentGemma has.
    public static func keys(for model: LanguageModelConfiguration) throws -> JSONObject {
        let (recurrent, attention) = try layers(of: model)
        let headSize = attention.headSize ?? model.dModel / max(1, attention.heads)
        let isGriffin =
            model.norm == .rms && model.residual && model.embeddingNorm == .none
            && model.embeddingScale == embeddingScale(dModel: model.dModel)
            && model.feedForward == .geGLU && model.feedForwardBias && !model.headBias
            && recurrent.unscaledFirst && recurrent.gateActivation == .geluTanh && recurrent.heads == attention.heads
            && attention.ropeBase > 0 && attention.outputBias ?? attention.bias
        guard isGriffin, let softCap = model.logitSoftCap else {
            throw RondoError(
                .invalidArgument,
                "\(modelType) cannot hold this model: it needs norm rms, residuals, embedding_scale "
                    + "\(embeddingScale(dModel: model.dModel)), a logit_soft_cap, feed_forward geglu with "
                    + "feed_forward_bias, no head_bias; in rg_lru unscaled_first and "
                    + "gate_activation gelu_tanh; in sliding_window as many heads, a rope_base and output_bias")
        }
        var object = JSONObject()
        object["hidden_size"] = .integer(model.dModel)
        object["num_hidden_layers"] = .integer(model.everyLayer.count)
        object["block_types"] = .array(
            model.everyLayer.map {
                .string($0.mixer == RGLRU.architecture ? Block.recurrent : Block.attention)
            })
        object["lru_width"] = .integer(recurrent.lruWidth ?? model.dModel)
        object["conv1d_width"] = .integer(recurrent.convWidth)
        object["num_attention_heads"] = .integer(attention.heads)
        object["num_key_value_heads"] = .integer(attention.kvHeads ?? attention.heads)
        object["head_dim"] = .integer(headSize)
        object["attention_window_size"] = .integer(attention.window)
        object["attention_bias"] = .bool(attention.bias)
        object["rope_parameters"] = RotaryKeys(base: attention.ropeBase, fraction: attention.ropeFraction).value
        object["rms_norm_eps"] = .real(model.normEpsilon)
        object["logits_soft_cap"] = .real(softCap)
        object["intermediate_size"] = .integer(2 * model.feedForwardWidth)
        object["hidden_activation"] = .string("gelu_pytorch_tanh")
        return object
    }

    /// The options that all recurrent and all attention layers share.
    private static func layers(
        of model: LanguageModelConfiguration
    ) throws -> (RGLRU.Configuration, SlidingWindowAttention.Configuration) {
        let recurrent = model.everyLayer.filter { $0.mixer == RGLRU.architecture }
        let attention = model.everyLayer.filter { $0.mixer == SlidingWindowAttention.architecture }
        guard recurrent.count + attention.count == model.everyLayer.count,
            recurrent.allSatisfy({ $0.options == recurrent[0].options }),
            attention.allSatisfy({ $0.options == attention[0].options })
        else {
            throw RondoError(
                .invalidArgument,
                "\(modelType) cannot hold this model of \(model.shortName): it may have layers of rg_lru and of "
                    + "sliding_window, each kind with the same options everywhere")
        }
        var own = try RGLRU.Configuration(options: recurrent.first?.options, source: modelType)
        var other = try SlidingWindowAttention.Configuration(options: attention.first?.options, source: modelType)
        // A kind that the model does not have takes what the other kind needs.
        if recurrent.isEmpty { (own.heads, own.gateActivation) = (other.heads, .geluTanh) }
        if attention.isEmpty { (other.heads, other.outputBias) = (own.heads, true) }
        return (own, other)
    }

    /// Tensors of transformers; norms multiply by 1 + w, and gates multiply from the left.
    public static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject) {
        let gemma = TensorRule.Change.affine(1, 1)
        map.add("embedding.weight", "model.embed_tokens.weight")
        map.add("norm.weight", "model.final_norm.weight", gemma)
        map.add("head.weight", "lm_head.weight")
        for index in model.everyLayer.indices {
            let (layer, name) = ("layers.\(index)", "model.layers.\(index)")
            map.add("\(layer).norm.weight", "\(name).temporal_pre_norm.weight", gemma)
            map.add("\(layer).feed_forward_norm.weight", "\(name).channel_pre_norm.weight", gemma)
            for part in ["gate", "up", "down"] {
                map.addLinear("\(layer).feed_forward.\(part)", "\(name).mlp_block.\(part)_proj")
            }
            let (mixer, block) = ("\(layer).mixer", "\(name).temporal_block")
            if map.shape("\(mixer).lambda") != nil {
                addRecurrent(to: &map, mixer, block)
            } else {
                for (part, letter) in [("query", "q"), ("key", "k"), ("value", "v"), ("output", "o")] {
                    map.addLinear("\(mixer).\(part)", "\(block).\(letter)_proj")
                }
            }
        }
    }

    private static func addRecurrent(to map: inout TensorMap, _ mixer: String, _ block: String) {
        map.addLinear("\(mixer).output", "\(block).linear_out")
        map.addConvolution("\(mixer).conv", "\(block).conv_1d")
        map.add("\(mixer).lambda", "\(block).rg_lru.recurrent_param")
        let both = ["\(block).linear_x", "\(block).linear_y"]
        map.addStacked("\(mixer).input.weight", both.map { "\($0).weight" })
        map.addStacked("\(mixer).input.bias", both.map { "\($0).bias" })
        guard let shape = map.shape("\(mixer).gates.weight") else { return }
        let gates = ["recurrent", "input"].map { "\(block).rg_lru.\($0)_gate" }
        map.add("\(mixer).gates.weight", gates.map { .init("\($0)_weight", Shape(shape.dropFirst())) }, .transposed)
        map.add("\(mixer).gate_bias", gates.map { .init("\($0)_bias", [shape[1], shape[2]]) })
    }
}
