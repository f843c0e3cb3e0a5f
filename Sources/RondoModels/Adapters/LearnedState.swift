import RondoMixers
public import RondoNN
public import RondoTensor

/// An initial state that is learned: what a model knows before it has read anything.
///
/// Only leaves of constant size are learned; growing memories begin empty.
public struct LearnedState: Module {
    /// The states of one sequence, from the bottom.
    public var state: ModelState

    /// Begins with the model's own initial state.
    public init(for model: LanguageModel) throws { state = try model.initialState(batch: 1) }

    /// Takes a state of one sequence.
    public init(_ state: ModelState) { self.state = state }

    /// The model with this beginning; derivatives flow to it.
    public func applied(to model: LanguageModel) -> LanguageModel {
        var copy = model
        copy.learnedState = state
        return copy
    }

    /// Visits every leaf, as `initial_state.layers.0.h`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        for layer in state.layers.indices {
            for name in state.layers[layer].names where state.layers[layer][name].count > 0 {
                try visit("initial_state.layers.\(layer).\(name)", &state.layers[layer][name])
            }
        }
    }
}

/// Small additions to a frozen model.
public struct ModelAdapters: Module {
    /// Additions to matrices.
    public var lowRank: LowRankAdapters?
    /// A learned beginning.
    public var initialState: LearnedState?

    /// Creates a set of additions.
    public init(lowRank: LowRankAdapters? = nil, initialState: LearnedState? = nil) {
        (self.lowRank, self.initialState) = (lowRank, initialState)
    }

    /// The model with the additions.
    ///
    /// - Throws: `RondoError` if they belong to another model.
    public func applied(to model: LanguageModel) throws -> LanguageModel {
        let adapted = try lowRank?.applied(to: model) ?? model
        return initialState?.applied(to: adapted) ?? adapted
    }

    /// Visits the additions to matrices, then the learned state.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try lowRank?.forEachParameter(visit)
        try initialState?.forEachParameter(visit)
    }
}
