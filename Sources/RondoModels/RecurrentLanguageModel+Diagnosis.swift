public import RondoNN
public import RondoTensor

extension RecurrentLanguageModel {
    /// Runs the model part by part and names the first one whose output is not finite.
    ///
    /// - Parameters:
    ///   - inputs: Tokens, int32 `[batch, time]`.
    ///   - state: The state before them; becomes the one after them.
    ///   - training: Whether dropout applies.
    ///   - generator: Draws the dropout masks.
    /// - Returns: The path of the part, or `nil` if all is well.
    /// - Throws: `RondoError` if shapes do not fit or a token is outside the vocabulary.
    public func firstNonFinitePart(
        _ inputs: Tensor, state: inout RecurrentState, training: Bool, using generator: inout Generator
    ) throws -> String? {
        if let name = try state.firstNonFinite() { return "carried state \(name)" }
        if try !projectedTable().isFinite() { return "recurrent.layers.0.weight times embedding" }
        let outputs = try hiddenStates(inputs, state: &state, training: training, using: &generator)
        if let name = try state.firstNonFinite() { return "recurrent.\(name)" }
        if try !outputs.isFinite() { return "recurrent" }
        if let norm, try !norm(outputs).isFinite() { return "norm" }
        return try scores(outputs).isFinite() ? nil : "head"
    }
}

extension RecurrentState {
    /// The name of the first tensor that is not finite: a bad number never leaves the state of a layer again.
    fileprivate func firstNonFinite() throws -> String? {
        let all = named
        return try zip(all.paths, all.tensors).first { try !$1.isFinite() }?.0
    }
}
