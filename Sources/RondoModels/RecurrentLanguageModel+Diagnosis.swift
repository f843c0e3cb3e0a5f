import RondoNN
public import RondoTensor

extension RecurrentLanguageModel {
    /// Runs the model layer by layer and names the first part whose output is not finite.
    ///
    /// - Parameters:
    ///   - inputs: Tokens, int32 `[batch, time]`.
    ///   - state: The state before them; becomes the one after them.
    ///   - training: Whether dropout applies.
    ///   - generator: Draws the dropout masks.
    /// - Returns: The path of the part, or `nil` if all is well.
    /// - Throws: `RondoError` if shapes do not fit or a token is outside the vocabulary.
    public func firstNonFiniteLayer(
        _ inputs: Tensor, state: inout RecurrentState, training: Bool, using generator: inout Generator
    ) throws -> String? {
        for (path, leaf) in zip(state.named.paths, state.named.tensors) where try !leaf.isFinite() {
            return "carried state \(path)"
        }
        let outputs = try hiddenStates(inputs, state: &state, training: training, using: &generator)
        for (path, leaf) in zip(state.named.paths, state.named.tensors) where try !leaf.isFinite() {
            return "recurrent.\(path)"
        }
        if try !outputs.isFinite() { return "recurrent" }
        return try scores(outputs).isFinite() ? nil : "head"
    }
}
