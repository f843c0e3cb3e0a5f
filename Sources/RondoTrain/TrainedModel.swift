public import RondoModels
public import RondoNN
public import RondoTensor

/// What a run trains: a whole model, or small additions to a frozen one.
public enum TrainedModel: Module {
    /// Every parameter.
    case whole(LanguageModel)
    /// The additions alone.
    case adapted(base: LanguageModel, ModelAdapters)

    /// The model as it is used; derivatives flow to what is trained.
    ///
    /// - Throws: `RondoError` if the additions belong to another model.
    public func model() throws -> LanguageModel {
        switch self {
        case .whole(let model): model
        case .adapted(let base, let adapters): try adapters.applied(to: base)
        }
    }

    /// The model without additions: its shape, and what is frozen.
    var base: LanguageModel {
        switch self {
        case .whole(let model): model
        case .adapted(let base, _): base
        }
    }

    /// Visits what is trained.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        switch self {
        case .whole(var model):
            // Put back afterwards, also what was visited before an error.
            defer { self = .whole(model) }
            try model.forEachParameter(visit)
        case .adapted(let base, var adapters):
            defer { self = .adapted(base: base, adapters) }
            try adapters.forEachParameter(visit)
        }
    }

    /// What a parameter is to an optimiser.
    func role(path: String, shape: Shape) -> ParameterRole {
        switch self {
        case .whole(let model): model.role(path: path, shape: shape)
        case .adapted: ParameterRole(path: path, shape: shape)
        }
    }
}

extension TrainingConfiguration.Adapters {
    /// What is trained of a model.
    func trained(_ model: LanguageModel, using generator: inout Generator) throws -> TrainedModel {
        guard isUsed else { return .whole(model) }
        let lowRank =
            try loraRank > 0
            ? LowRankAdapters(for: model, rank: loraRank, alpha: loraAlpha, targets: loraTargets, using: &generator)
            : nil
        return .adapted(
            base: model,
            ModelAdapters(lowRank: lowRank, initialState: try tunesState ? LearnedState(for: model) : nil))
    }
}
