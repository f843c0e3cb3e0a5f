public import RondoMixers
public import RondoNN
public import RondoTensor

/// A layer of a model: a mixer along time, then (if there is one) a feed-forward part at each position, each after a
/// norm and inside a residual connection.
public struct ResidualBlock: Module {
    /// Before the mixer.
    public var norm: Norm
    /// Along time.
    public var mixer: any SequenceMixer
    /// Before the feed-forward part.
    public var feedForwardNorm: Norm?
    /// At each position.
    public var feedForward: FeedForward?
    let residual: Bool
    let dropout: Dropout

    init(
        _ layer: LanguageModelConfiguration.Layer, of model: LanguageModelConfiguration, dtype: DType,
        using generator: inout Generator
    ) throws {
        norm = try Norm(model.norm, of: model, dtype: dtype)
        mixer = try MixerRegistry.mixer(named: layer.mixer).make(
            options: layer.options, dModel: model.dModel, dtype: dtype, using: &generator)
        if let kind = model.feedForward.kind {
            feedForwardNorm = try Norm(model.norm, of: model, dtype: dtype)
            feedForward = try FeedForward(
                dModel: model.dModel, hiddenSize: model.feedForwardWidth, kind: kind, bias: model.feedForwardBias,
                dtype: dtype, using: &generator)
        }
        residual = model.residual
        dropout = try Dropout(model.dropout)
    }

    /// Reads a piece, `[batch, time, dModel]`, and moves the state on.
    func callAsFunction(
        _ x: Tensor, state: inout MixerState, shared: inout SharedValues, training: Bool,
        using generator: inout Generator
    ) throws -> Tensor {
        let mixed = try joined(x, mixer.chunk(norm(x), state: &state, passing: &shared), training, &generator)
        guard let feedForward, let feedForwardNorm else { return mixed }
        return try joined(mixed, feedForward(feedForwardNorm(mixed)), training, &generator)
    }

    /// Reads whole sequences, `[batch, time, dModel]`, from the beginning by the mixer's parallel form.
    func parallel(_ x: Tensor, shared: inout SharedValues) throws -> Tensor {
        var unused = Generator(seed: 0)
        let mixed = try joined(x, mixer.parallel(norm(x), passing: &shared), false, &unused)
        guard let feedForward, let feedForwardNorm else { return mixed }
        return try joined(mixed, feedForward(feedForwardNorm(mixed)), false, &unused)
    }

    private func joined(_ x: Tensor, _ y: Tensor, _ training: Bool, _ generator: inout Generator) throws -> Tensor {
        let kept = try dropout(y, training: training, using: &generator)
        return try residual ? x + kept : kept
    }

    /// Visits `norm`, `mixer`, `feed_forward_norm` and `feed_forward`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try norm.forEachParameter(under: "norm", visit)
        try mixer.forEachParameter(under: "mixer", visit)
        try feedForwardNorm.forEachParameter(under: "feed_forward_norm", visit)
        try feedForward.forEachParameter(under: "feed_forward", visit)
    }

    /// A norm of a chosen kind.
    public enum Norm: Module {
        /// Root mean square.
        case rms(RMSNorm)
        /// Mean and deviation.
        case layer(LayerNorm)
        /// The identity.
        case none

        init(_ kind: LanguageModelConfiguration.Norm, of model: LanguageModelConfiguration, dtype: DType) throws {
            let (size, epsilon) = (model.dModel, model.normEpsilon)
            switch kind {
            case .rms: self = .rms(try RMSNorm(size: size, epsilon: epsilon, dtype: dtype))
            case .layer: self = .layer(try LayerNorm(size: size, epsilon: epsilon, dtype: dtype))
            case .none: self = .none
            }
        }

        /// Normalises the last axis.
        public func callAsFunction(_ x: Tensor) throws -> Tensor {
            switch self {
            case .rms(let norm): try norm(x)
            case .layer(let norm): try norm(x)
            case .none: x
            }
        }

        /// The same for `rows` rows again and again; `nil` of the identity.
        func makeStepper(rows: Int) throws -> RowNormalization? {
            switch self {
            case .rms(let norm): try norm.makeStepper(rows: rows)
            case .layer(let norm): try norm.makeStepper(rows: rows)
            case .none: nil
            }
        }

        /// Visits `weight` and, of a layer norm, `bias`.
        public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
            switch self {
            case .rms(var norm):
                // Emptied meanwhile, so that the parameters have one owner and change in place.
                self = .none
                defer { self = .rms(norm) }
                try norm.forEachParameter(visit)
            case .layer(var norm):
                self = .none
                defer { self = .layer(norm) }
                try norm.forEachParameter(visit)
            case .none: break
            }
        }
    }
}
