public import RondoNN
public import RondoTensor

/// Predicts the next token from all before it: embedding, recurrent layers, optional norm, head.
public struct RecurrentLanguageModel: Module {
    /// The shape of the model.
    public let configuration: RecurrentLanguageModelConfiguration

    /// Creates a model with random weights.
    ///
    /// - Throws: `RondoError` for an impossible configuration.
    public init(_ configuration: RecurrentLanguageModelConfiguration, using generator: inout Generator) throws {
        self.configuration = configuration
    }

    /// Loads the model of a folder in Hugging Face layout (`config.json`, `model.safetensors`).
    ///
    /// - Throws: `RondoError` that lists everything that does not fit.
    public init(folder: String) throws { throw RondoError(.unavailable, "not yet") }

    /// Visits every trainable parameter.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {}
}
