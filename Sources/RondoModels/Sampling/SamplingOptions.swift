import RondoTensor

/// The order in which the options of a draw are applied; the repetition penalty always comes first.
public enum SamplerOrder: String, Sendable, Codable, CaseIterable {
    /// Temperature, top-k, top-p, min-p: what is cut off depends on the temperature.
    case transformers
    /// Top-k, top-p, min-p, temperature: what is cut off does not depend on the temperature.
    case llamaCpp = "llama.cpp"
}

/// How the next token is chosen from a model's logits.
///
/// The defaults draw from the model's own distribution. In JSON the keys are those of `generation_config.json`, and a
/// missing key stands for the default.
public struct SamplingOptions: Sendable, Equatable {
    /// Divides the logits; 0 (in fact, anything below ``greedyLimit``) always takes the most likely token.
    public var temperature: Double
    /// How many of the most likely tokens stay in the draw, with those as likely as the last of them; 0 for all.
    public var topK: Int
    /// The mass of the smallest set of most likely tokens that stays in the draw, in `(0, 1]`; 1 for all.
    public var topP: Double
    /// The least probability, relative to the most likely token, that stays in the draw, in `[0, 1]`; 0 for all.
    public var minP: Double
    /// Divides the positive and multiplies the negative logits of tokens that occurred recently; 1 for none.
    public var repetitionPenalty: Double
    /// How many recent tokens, of prompt and answer, count as recent; 0 for none, -1 for all since the beginning.
    public var repetitionWindow: Int
    /// The order in which the options are applied.
    public var order: SamplerOrder

    /// The temperature below which the most likely token is taken instead of a draw.
    public static let greedyLimit = 1e-5

    /// Creates options; they are checked by ``validate()``, not here.
    public init(
        temperature: Double = 1, topK: Int = 0, topP: Double = 1, minP: Double = 0, repetitionPenalty: Double = 1,
        repetitionWindow: Int = 64, order: SamplerOrder = .transformers
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.repetitionWindow = repetitionWindow
        self.order = order
    }

    /// Whether the most likely token is taken instead of a draw.
    public var isGreedy: Bool { temperature < Self.greedyLimit }

    /// Checks every option.
    ///
    /// - Throws: `RondoError` with code `invalidArgument` that names the first wrong option and its range.
    public func validate() throws {
        func require(_ holds: Bool, _ option: String, _ value: some CustomStringConvertible, _ range: String) throws {
            guard holds else { throw RondoError(.invalidArgument, "\(option) \(value): must be \(range)") }
        }
        try require(
            temperature >= 0 && temperature.isFinite, "temperature", temperature, "a number of at least 0 (0: greedy)")
        try require(topK >= 0, "top-k", topK, "at least 0 (0: off)")
        try require(topP > 0 && topP <= 1, "top-p", topP, "more than 0 and at most 1 (1: off)")
        try require((0...1).contains(minP), "min-p", minP, "between 0 and 1 (0: off)")
        try require(
            repetitionPenalty > 0 && repetitionPenalty.isFinite, "repetition penalty", repetitionPenalty,
            "a number above 0 (1: off)")
        try require(
            repetitionWindow >= -1, "repetition window", repetitionWindow, "at least -1 (-1: all tokens, 0: none)")
    }
}

extension SamplingOptions: Codable {
    private enum CodingKeys: String, CodingKey {
        case temperature
        case topK = "top_k"
        case topP = "top_p"
        case minP = "min_p"
        case repetitionPenalty = "repetition_penalty"
        case repetitionWindow = "repetition_window"
        case order = "sampler_order"
    }

    /// Reads options; a missing key stands for the default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        temperature = try values.decodeIfPresent(Double.self, forKey: .temperature) ?? temperature
        topK = try values.decodeIfPresent(Int.self, forKey: .topK) ?? topK
        topP = try values.decodeIfPresent(Double.self, forKey: .topP) ?? topP
        minP = try values.decodeIfPresent(Double.self, forKey: .minP) ?? minP
        repetitionPenalty = try values.decodeIfPresent(Double.self, forKey: .repetitionPenalty) ?? repetitionPenalty
        repetitionWindow = try values.decodeIfPresent(Int.self, forKey: .repetitionWindow) ?? repetitionWindow
        order = try values.decodeIfPresent(SamplerOrder.self, forKey: .order) ?? order
    }
}
