public import RondoIO
public import RondoModels
import RondoTensor

/// How the makers of a checkpoint want it to be decoded: what `generation_config.json` says, as far as Rondo can do it.
///
/// What stands in a request, or on a command line, goes before it.
public struct GenerationDefaults: Sendable, Equatable {
    /// The name of the file in a checkpoint's folder.
    public static let fileName = "generation_config.json"

    /// How tokens are chosen; where the file says nothing, the defaults of ``SamplingOptions``.
    public var sampling = SamplingOptions()
    /// How many tokens are made at most; `nil` for no limit.
    public var maxNewTokens: Int?
    /// How many tokens prompt and answer have together at most; `nil` for no limit.
    ///
    /// ``maxNewTokens`` goes before it.
    public var maxLength: Int?
    /// The tokens that end an answer.
    public var endTokens: [Int] = []
    /// The texts that end an answer.
    public var stopStrings: [String] = []
    /// Keys that would change what is decoded, and that Rondo does not know, with their values.
    public var unsupported: [String] = []

    /// Nothing is wanted.
    public init() {}

    /// Reads the file of a checkpoint's folder; without one, nothing is wanted.
    ///
    /// - Parameter folder: The folder.
    /// - Throws: `RondoError` that names the file and lists every value that cannot be.
    public init(folder: String) throws {
        let path = FileSystem.join(folder, Self.fileName)
        guard FileSystem.kind(of: path) != nil else {
            self.init()
            return
        }
        guard let object = try JSONValue(foreignContentsOf: path).objectValue else {
            throw RondoError(.corruptFile, "'\(path)' must hold an object")
        }
        try self.init(object, source: "'\(path)'")
    }

    /// Reads an object of the same keys.
    ///
    /// - Parameters:
    ///   - object: The keys.
    ///   - source: What to call it in errors.
    /// - Throws: `RondoError` that lists every value that cannot be.
    public init(_ object: JSONObject, source: String) throws {
        var keys = ConfigurationReader(object, source: source)
        sampling = Self.sampling(from: &keys)
        maxNewTokens = Self.limit(&keys, "max_new_tokens")
        maxLength = Self.limit(&keys, "max_length")
        endTokens = keys.ints("eos_token_id")
        if endTokens.contains(where: { $0 < 0 }) { keys.refuse("eos_token_id", "must not be negative") }
        if keys.value("stop_strings")?.stringValue != nil {
            stopStrings = [keys.string("stop_strings", default: "")]
        } else {
            stopStrings = keys.strings("stop_strings", default: [])
        }
        for key in Self.withoutEffect { keys.ignore(key) }
        unsupported = keys.unread.filter { Self.neutral[$0.key]?.contains($0.value) != true }
            .map { "\($0.key): \($0.value.text())" }
        try keys.finish(allowsUnread: true)
        do {
            try sampling.validate()
        } catch let error as RondoError {
            throw RondoError(error.code, "\(source): \(error.message)")
        }
    }

    /// Without sampling, what shapes the draw does not count.
    private static func sampling(from keys: inout ConfigurationReader) -> SamplingOptions {
        var options = SamplingOptions()
        let draws = keys.bool("do_sample", default: true)
        let temperature = keys.double("temperature", default: options.temperature)
        let topK = keys.int("top_k", default: options.topK)
        let topP = keys.double("top_p", default: options.topP)
        let minP = keys.double("min_p", default: options.minP)
        if draws {
            (options.temperature, options.topK, options.topP, options.minP) = (temperature, topK, topP, minP)
        } else {
            options.temperature = 0
        }
        options.repetitionPenalty = keys.double("repetition_penalty", default: options.repetitionPenalty)
        // Such files mean all tokens since the beginning of the prompt.
        if options.repetitionPenalty != 1 { options.repetitionWindow = -1 }
        return options
    }

    private static func limit(_ keys: inout ConfigurationReader, _ key: String) -> Int? {
        guard keys.value(key) != nil else { return nil }
        let limit = keys.int(key, default: 1)
        if limit < 1 { keys.refuse(key, "must be at least 1") }
        return limit
    }

    /// Keys that change nothing of what is decoded: names, caches, what is returned, and options of others that do.
    private static let withoutEffect = [
        "_from_model_config", "transformers_version", "bos_token_id", "pad_token_id", "decoder_start_token_id",
        "use_cache", "cache_implementation", "cache_config", "max_cache_len", "return_legacy_cache", "low_memory",
        "output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate",
        "remove_invalid_values", "renormalize_logits", "max_time", "compile_config", "disable_compile",
        "continuous_batching_config", "prefill_chunk_size", "early_stopping", "length_penalty",
        "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold",
        "assistant_early_exit", "assistant_lookbehind", "target_lookbehind", "is_assistant", "trust_remote_code",
    ]

    /// The values with which keys of decodings that Rondo does not have ask for nothing.
    private static let neutral: [String: [JSONValue]] = [
        "num_beams": [.integer(1)], "num_beam_groups": [.integer(1)], "num_return_sequences": [.integer(1)],
        "diversity_penalty": zero, "typical_p": one, "epsilon_cutoff": zero, "eta_cutoff": zero,
        "no_repeat_ngram_size": zero, "encoder_no_repeat_ngram_size": zero, "encoder_repetition_penalty": one,
        "guidance_scale": one, "min_length": zero, "min_new_tokens": zero, "suppress_tokens": [.array([])],
        "begin_suppress_tokens": [.array([])], "bad_words_ids": [.array([])], "token_healing": [.bool(false)],
        "top_h": one, "use_mtp": [.bool(false)],
    ]
    private static let zero: [JSONValue] = [.integer(0), .real(0.0)]
    private static let one: [JSONValue] = [.integer(1), .real(1.0)]
}
