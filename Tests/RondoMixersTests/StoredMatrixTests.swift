import RondoMixers
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Every mixer runs with its matrices as they are stored.
@Suite struct StoredMatrixTests {
    @Test(arguments: MixerRegistry.builtIn.map { $0.architecture }, [DType.bfloat16, .quantized8])
    func mixersEqualThoseOfTheSameRoundedMatrices(_ name: String, _ dtype: DType) throws {
        try compare(try MixerRegistry.mixer(named: name), dtype)
    }

    private func compare<Mixer: SequenceMixer>(_: Mixer.Type, _ dtype: DType) throws {
        // Some examples are bare recurrences without matrices.
        var matrices = 0
        defer { #expect(matrices > 0) }
        for example in Mixer.examples {
            var generator = Generator(seed: 7)
            let random = try Mixer(
                example.configuration, dModel: example.dModel, dtype: .float32, using: &generator)
            matrices += random.matrixPaths.count
            let stored = try random.castingMatrices(to: dtype)
            let plain = try stored.cast(to: .float32)
            let x = try generator.normal([2, 7, example.dModel])
            func outputs(_ mixer: Mixer) throws -> [Tensor] {
                var state = try mixer.initialState(batch: 2)
                var stepper = try mixer.makeStepper(batch: 2)
                let first = try mixer.chunk(x.sliced(1, 0..<6), state: &state)
                let last = try stepper(x.selecting(1, 6), state: &state).copied()
                return [try mixer.parallel(x), first, last] + state.named.tensors
            }
            for (found, expected) in zip(try outputs(stored), try outputs(plain)) {
                #expect(
                    try Tolerance(.float32, length: 1000, depth: 64).mismatch(found, expected) == nil,
                    "\(example.label)")
            }
        }
    }
}
