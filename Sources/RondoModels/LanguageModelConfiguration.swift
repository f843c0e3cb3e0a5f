public import RondoIO
import RondoMixers
import RondoNN
import RondoTensor

/// The shape of a language model: all that `config.json` says.
///
/// One mixer for all layers is the short form (``mixer``, ``nLayers``); a hybrid names several, which are repeated over
/// the layers (`"mamba2,mamba2,mamba2,sliding_window"`), or lists its ``layers`` one by one with options of their own.
public struct LanguageModelConfiguration: Codable, Sendable, Equatable {
    /// One layer of a hybrid, or several alike.
    public struct Layer: Codable, Sendable, Equatable {
        /// The mixer's name.
        public var mixer: String
        /// How many layers in a row are like this; 1 if absent.
        public var count: Int?
        /// Options of the mixer that differ from its defaults.
        public var options: JSONValue?

        /// Creates a layer.
        public init(mixer: String, count: Int? = nil, options: JSONValue? = nil) {
            self.mixer = mixer
            self.count = count
            self.options = options
        }
    }

    /// What is normalised before a mixer or a feed-forward part.
    public enum Norm: String, Codable, Sendable, CaseIterable {
        /// Root mean square.
        case rms
        /// Mean and deviation.
        case layer
        /// Nothing.
        case none
    }

    /// The position-wise part of a layer.
    public enum FeedForwardKind: String, Codable, Sendable, CaseIterable {
        /// There is none.
        case none
        /// One projection and ReLU.
        case relu
        /// One projection and GELU.
        case gelu
        /// A gated projection (Shazeer, 2020).
        case swiGLU = "swiglu"
        /// A projection gated by GELU (Shazeer, 2020).
        case geGLU = "geglu"

        var kind: FeedForward.Kind? {
            switch self {
            case .none: nil
            case .relu: .relu
            case .gelu: .gelu
            case .swiGLU: .swiGLU
            case .geGLU: .geGLU
            }
        }
    }

    /// The name of this kind of model in `config.json`.
    public static let modelType = "rondo_language_model"

    /// The kind of model, always ``modelType``.
    public var modelType = Self.modelType
    /// The number of different tokens; 256 for bytes.
    public var vocabSize = 256
    /// The width of the model.
    public var dModel = 256
    /// The number of layers, unless ``layers`` lists them.
    public var nLayers = 2
    /// The mixer of all layers, or several names with commas between them, repeated over the layers.
    public var mixer = "lstm"
    /// Options of the mixer that differ from its defaults, if all layers have the same mixer.
    public var mixerOptions: JSONValue?
    /// The layers one by one, instead of ``mixer`` and ``nLayers``.
    public var layers: [Layer]?
    /// What is normalised before every part, and at the end.
    public var norm = Norm.rms
    /// Added to the mean square (or variance) in norms.
    public var normEpsilon = 1e-5
    /// What multiplies the embedding's vectors.
    public var embeddingScale = 1.0
    /// What is normalised right after the embedding.
    public var embeddingNorm = Norm.none
    /// Whether a part's input is added to its output.
    public var residual = true
    /// The position-wise part after each mixer.
    public var feedForward = FeedForwardKind.none
    /// The width inside the position-wise part; chosen by its kind if `nil`.
    public var feedForwardSize: Int?
    /// Whether the position-wise part has offsets.
    public var feedForwardBias = false
    /// The share of token types that a sequence drops while training, in `0..<1`.
    public var embeddingDropout = 0.0
    /// The share of elements of every part's output that are dropped while training, in `0..<1`.
    public var dropout = 0.0
    /// The share of elements before the head that are dropped while training, in `0..<1`.
    public var outputDropout = 0.0
    /// Whether the head's matrix is that of the embedding.
    public var tieEmbeddings = false
    /// Whether the head has offsets; a tied head has none.
    public var headBias = false
    /// Scores are kept in ± this by tanh; no limit if `nil`.
    public var logitSoftCap: Double?

    /// Creates the default: a byte-level model.
    public init() {}

    /// Creates a byte-level model of one mixer.
    public init(mixer: String, dModel: Int = 256, nLayers: Int = 2) {
        self.mixer = mixer
        self.dModel = dModel
        self.nLayers = nLayers
    }

    /// The width inside the position-wise part: 4 times the model's, or as many parameters with a gate.
    package var feedForwardWidth: Int {
        feedForwardSize ?? (feedForward.kind?.isGated == true ? (8 * dModel / 3 + 7) / 8 * 8 : 4 * dModel)
    }

    /// The number of all layers, without making a list of them; `Int.max` if it overflows.
    var layerCount: Int {
        guard let layers else { return max(0, nLayers) }
        return layers.reduce(0) { sum, layer in
            let (total, overflow) = sum.addingReportingOverflow(max(0, layer.count ?? 1))
            return overflow ? .max : total
        }
    }

    /// The mixer and the options of every layer, from the bottom.
    public var everyLayer: [Layer] {
        if let layers {
            return layers.flatMap { layer in
                Array(repeating: Layer(mixer: layer.mixer, options: layer.options), count: max(0, layer.count ?? 1))
            }
        }
        let names = mixer.split(separator: ",").map { $0.filter { $0 != " " } }
        guard !names.isEmpty else { return [] }
        return (0..<max(0, nLayers)).map { Layer(mixer: names[$0 % names.count], options: mixerOptions) }
    }

    /// A short name of what is inside, as `lstm` or `mamba2+sliding_window`.
    public var shortName: String {
        everyLayer.reduce(into: [String]()) { if !$0.contains($1.mixer) { $0.append($1.mixer) } }.joined(separator: "+")
    }

    /// A check value of the configuration's canonical JSON, that tells configurations apart.
    public func digest() throws -> String {
        let text = try StrictJSON.tree(of: self).text(sortedKeys: true)
        return "crc32c:" + String(CRC32C.checksum(Array(text.utf8)), radix: 16)
    }

    /// Tied tables must give scores of moderate size; others may be as wide as the layers' inputs like.
    var embeddingDeviation: Double { tieEmbeddings ? 1 / Double(dModel).squareRoot() : 1 }
}

// MARK: - Checking

extension LanguageModelConfiguration {
    /// Refuses what cannot be built.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` that names the key and its range, or the mixer that does not
    ///   exist and the closest name.
    public func validate() throws {
        try requireValue(modelType == Self.modelType, "model_type", modelType, "\"\(Self.modelType)\"")
        try requireValue((2...1 << 24).contains(vocabSize), "vocab_size", vocabSize, "from 2 to 16777216")
        try requireValue((1...1 << 20).contains(dModel), "d_model", dModel, "from 1 to 1048576")
        try requireValue((1...10_000).contains(nLayers), "n_layers", nLayers, "from 1 to 10000")
        for layer in layers ?? [] {
            try requireValue(
                (1...10_000).contains(layer.count ?? 1), "layers.count", layer.count ?? 1, "from 1 to 10000")
        }
        // The list of all layers is made only when it is known to be short.
        try requireValue((1...10_000).contains(layerCount), "layers", layerCount, "from 1 to 10000 in all")
        try requireValue(!everyLayer.isEmpty, "mixer", mixer, "such that there is at least one layer")
        try requireValue(
            (1...1 << 24).contains(feedForwardWidth), "feed_forward_size", feedForwardWidth, "from 1 to 16777216")
        try requireValue(normEpsilon > 0 && normEpsilon < 1, "norm_epsilon", normEpsilon, "above 0 and below 1")
        try requireValue(
            embeddingScale > 0 && embeddingScale.isFinite, "embedding_scale", embeddingScale, "above 0")
        if let logitSoftCap { try requireValue(logitSoftCap > 0, "logit_soft_cap", logitSoftCap, "above 0") }
        for (key, share) in [
            ("embedding_dropout", embeddingDropout), ("dropout", dropout), ("output_dropout", outputDropout),
        ] {
            try requireValue((0..<1).contains(share), key, share, "at least 0 and below 1")
        }
        _ = try completed()
    }

    /// The same configuration with every option of every mixer written out, so that it means the same when defaults
    /// change.
    ///
    /// - Throws: `RondoError` for an unknown mixer, an unknown option or an impossible value.
    public func completed() throws -> LanguageModelConfiguration {
        var copy = self
        func complete(_ name: String, _ options: JSONValue?) throws -> JSONValue {
            do {
                return try MixerRegistry.mixer(named: name).completedOptions(options, dModel: dModel)
            } catch let error as RondoError {
                // Also a mixer that does not exist is a wrong value of the configuration.
                throw RondoError(.invalidArgument, "mixer: \(error.message)")
            }
        }
        if let layers {
            copy.layers = try layers.map { layer in
                Layer(
                    mixer: layer.mixer, count: layer.count,
                    options: try complete(layer.mixer, layer.options))
            }
            copy.mixerOptions = nil
            return copy
        }
        let names = Set(everyLayer.map(\.mixer))
        if names.count == 1, let name = names.first {
            copy.mixerOptions = try complete(name, mixerOptions)
        } else {
            try requireValue(
                mixerOptions == nil, "mixer_options", mixerOptions?.text() ?? "",
                "absent if there are several mixers; list the layers with their options in layers")
            copy.layers = try everyLayer.map { Layer(mixer: $0.mixer, options: try complete($0.mixer, nil)) }
        }
        return copy
    }
}

// MARK: - Size

extension LanguageModelConfiguration {
    /// About how many trainable numbers the model has, in floating point so that nothing overflows: mixers have about
    /// 8 D² of them.
    public var parameterEstimate: Double {
        let width = Double(dModel)
        let feedForwardMaps = feedForward.kind.map { $0.isGated ? 3.0 : 2 } ?? 0
        let each = 8 * width * width + feedForwardMaps * width * Double(feedForwardWidth)
        return Double(vocabSize) * width * (tieEmbeddings ? 1 : 2) + Double(everyLayer.count) * each
    }

    /// About how many numbers training keeps for each position of a window.
    public var activationEstimate: Double {
        let inside = feedForward == .none ? 0 : 3 * Double(feedForwardWidth)
        return Double(everyLayer.count) * (14 * Double(dModel) + inside) + 2 * Double(vocabSize)
    }
}
