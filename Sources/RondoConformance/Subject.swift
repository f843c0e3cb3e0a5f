import RondoMixers
import RondoNN
import RondoTensor

/// A mixer under examination, with inputs and a state that is not at its beginning.
struct Subject<Mixer: SequenceMixer> {
    let mixer: Mixer
    let dtype: DType
    /// `[batch, time, dModel]`.
    let x: Tensor
    /// The state after a few positions.
    let begun: MixerState
    /// Terms whose roundings add up, for the tolerance.
    let length: Int

    static var batch: Int { 3 }
    static var time: Int { 19 }

    /// Draws parameters, inputs and a begun state.
    init(_ example: MixerExample<Mixer.Configuration>, dtype: DType, trained: Bool = false, seed: UInt64 = 7) throws {
        var generator = Generator(seed: seed)
        var mixer = try Mixer(example.configuration, dModel: example.dModel, dtype: dtype, using: &generator)
        if trained { try mixer.perturb(using: &generator) }
        self.mixer = mixer
        self.dtype = dtype
        x = try generator.normal([Self.batch, Self.time, example.dModel], dtype: dtype)
        var state = try mixer.initialState(batch: Self.batch)
        _ = try mixer.chunk(generator.normal([Self.batch, 5, example.dModel], dtype: dtype), state: &state)
        begun = state
        length = Self.time * max(8, example.dModel)
    }

    /// Outputs and final state of a chunk.
    func chunk(_ x: Tensor, from state: MixerState) throws -> (Tensor, MixerState) {
        var after = state
        let y = try mixer.chunk(x, state: &after)
        return (y, after)
    }

    /// Outputs and final state position by position, by the mixer's stepper or its plain step.
    func steps(_ x: Tensor, from state: MixerState, withStepper: Bool) throws -> (Tensor, MixerState) {
        var after = state
        var stepper = try mixer.makeStepper(batch: x.shape[0])
        let outputs = try (0..<x.shape[1]).map { time in
            let position = try x.selecting(1, time)
            return try withStepper
                ? stepper(position, state: &after).copied() : mixer.step(position, state: &after)
        }
        return (try outputs.isEmpty ? x : Tensor.stack(outputs, axis: 1), after)
    }

    /// Outputs and final state by the equations.
    func reference(_ x: Tensor, from state: MixerState) throws -> (Tensor, MixerState) {
        var after = state
        let y = try mixer.reference(x, state: &after)
        return (y, after)
    }
}

extension Module {
    /// Moves every parameter away from its special first value, as training does.
    mutating func perturb(using generator: inout Generator) throws {
        var draws: [Tensor] = []
        for parameter in parameters.tensors {
            let factor = try 1 + generator.normal(parameter.shape, deviation: 0.2, dtype: parameter.dtype)
            let offset = try generator.normal(parameter.shape, deviation: 0.05, dtype: parameter.dtype)
            draws.append(try parameter * factor + offset)
        }
        self = replacingParameters(draws)
    }
}
