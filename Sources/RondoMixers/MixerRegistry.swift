public import RondoIO
public import RondoTensor
import Synchronization

/// The mixers that configurations can name.
public enum MixerRegistry {
    /// The mixers of this package: one line each.
    public static let builtIn: [any SequenceMixer.Type] = [
        Elman.self,
        LeakyRNN.self,
        Jordan.self,
        LSTM.self,
        QuasiLSTM.self,
        GRU.self,
        SLSTM.self,
        NTM.self,
        ParaGRU.self,
        ParaLSTM.self,
        M2RNN.self,
        MinMaxRNC.self,
        MinGRU.self,
        MinLSTM.self,
        HGRN.self,
        RGLRU.self,
        RWKV4.self,
        RWKVChannelMix.self,
        LRU.self,
        LSSL.self,
        S4.self,
        S4D.self,
        S5.self,
        GSS.self,
        LMU.self,
        Mamba.self,
        Mamba2.self,
        LinearAttentionMixer.self,
        RetNet.self,
        GLA.self,
        HGRN2.self,
        MLSTM.self,
        RWKV6.self,
        RWKV7.self,
        DeltaNet.self,
        GatedDeltaNet.self,
        DeltaProduct.self,
        SoftmaxAttention.self,
        SlidingWindowAttention.self,
        Aaren.self,
        NGramHead.self,
    ]

    private static let added = Mutex<[any SequenceMixer.Type]>([])

    /// All mixers, this package's first.
    public static var all: [any SequenceMixer.Type] { builtIn + added.withLock { $0 } }

    /// Adds a mixer from outside the package, so that configurations, files and commands know it.
    ///
    /// - Throws: `RondoError` of code `conflict` if the name is taken.
    public static func register(_ mixer: any SequenceMixer.Type) throws {
        let taken = builtIn.contains { $0.architecture == mixer.architecture }
        let isNew = added.withLock { types in
            guard !taken, !types.contains(where: { $0.architecture == mixer.architecture }) else { return false }
            types.append(mixer)
            return true
        }
        guard isNew else {
            throw RondoError(
                .conflict, "a mixer named '\(mixer.architecture)' is registered already; choose another name")
        }
    }

    /// The mixer of a name.
    ///
    /// - Throws: `RondoError` of code `notFound` that suggests the closest name.
    public static func mixer(named name: String) throws -> any SequenceMixer.Type {
        let all = all
        if let match = all.first(where: { $0.architecture == name }) { return match }
        let advice = Suggestion.advice(for: name, known: all.map { $0.architecture }, noun: "mixers")
        throw RondoError(.notFound, "there is no mixer '\(name)'\(advice)")
    }
}

extension SequenceMixer {
    /// Creates a mixer from JSON options over the defaults.
    ///
    /// - Throws: `RondoError` that names the wrong key, or an impossible configuration.
    public static func make(
        options: JSONValue?, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws -> Self {
        let configuration = try Configuration(options: options, source: "options of \(architecture)")
        return try Self(configuration, dModel: dModel, dtype: dtype, using: &generator)
    }

    /// All options as JSON: the defaults, changed by `options`.
    ///
    /// - Throws: `RondoError` that names the wrong key, or an impossible configuration.
    public static func completedOptions(_ options: JSONValue?, dModel: Int) throws -> JSONValue {
        let configuration = try Configuration(options: options, source: "options of \(architecture)")
        do { try configuration.validate(dModel: dModel) } catch let error as RondoError {
            throw RondoError(error.code, "\(architecture): \(error.message)")
        }
        return try StrictJSON.tree(of: configuration)
    }
}
