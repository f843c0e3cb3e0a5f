public import RondoIO
public import RondoModels
import RondoTensor

/// A kind of checkpoint that other programs write and read, as a mapping onto Rondo's one language model.
///
/// A family says what the keys of `config.json` mean and which tensor of the file is which parameter. It holds no
/// mathematics: that is in the mixers. Adding one is one file in `Families` and one line in ``CheckpointFamilies``.
public protocol CheckpointFamily: Sendable {
    /// What `model_type` says, as `mamba2`.
    static var modelType: String { get }

    /// What `architectures` says, as `Mamba2ForCausalLM`.
    static var architecture: String { get }

    /// The model that a configuration describes.
    ///
    /// Every key that changes the computation is read or refused; problems are collected in the reader.
    static func configuration(from keys: inout ConfigurationReader) -> LanguageModelConfiguration

    /// The keys of `config.json` for a model, without those that every family has.
    ///
    /// - Throws: `RondoError` that says which part of the model this family does not have.
    static func keys(for model: LanguageModelConfiguration) throws -> JSONObject

    /// Says which tensors of the file make up each parameter.
    ///
    /// - Parameters:
    ///   - map: Takes the rules; knows the parameters' shapes.
    ///   - model: The model's shape.
    ///   - keys: The file's configuration, for layouts that it chooses between; when writing, what ``keys(for:)`` made.
    static func addRules(to map: inout TensorMap, model: LanguageModelConfiguration, keys: JSONObject)
}

/// The families that Rondo reads and writes.
public enum CheckpointFamilies {
    /// All families, by model type.
    public static let all: [any CheckpointFamily.Type] = [
        MambaFamily.self, FalconMambaFamily.self, Mamba2Family.self,
        XLSTMFamily.self,
        RecurrentGemmaFamily.self,
        RWKVFamily.self,
        GLAFamily.self, DeltaNetFamily.self, GatedDeltaNetFamily.self, RWKV7Family.self,
    ]

    /// The family of a model type.
    ///
    /// - Throws: `RondoError` of code `notFound` with the known types.
    public static func family(ofType modelType: String, source: String) throws -> any CheckpointFamily.Type {
        if let family = all.first(where: { $0.modelType == modelType }) { return family }
        let known = all.map { $0.modelType }
        let advice = Suggestion.advice(for: modelType, known: known, noun: "model types")
        throw RondoError(
            .notFound,
            "\(source): there is no model type '\(modelType)'\(advice); known are \(known.joined(separator: ", ")) and "
                + LanguageModelConfiguration.modelType)
    }
}
