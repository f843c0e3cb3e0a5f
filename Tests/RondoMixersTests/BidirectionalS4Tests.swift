import RondoMixers
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct BidirectionalS4Tests {
    private static func layer(
        _ initialization: SpectrumInitialization = .legS, mixing: ChannelMixing = .none, copies: Int = 1
    ) throws -> (BidirectionalS4, Generator) {
        var generator = Generator(seed: 5)
        var configuration = S4.Configuration()
        (configuration.stateSize, configuration.initialization) = (6, initialization)
        (configuration.mixing, configuration.copies) = (mixing, copies)
        let layer = try BidirectionalS4(configuration, dModel: 4, dtype: .float64, using: &generator)
        return (layer, generator)
    }

    private func distance(_ a: Tensor, _ b: Tensor) throws -> Double { try (a - b).abs().max().scalar() }

    /// What a bare S4 without its direct path says, position by position.
    private func recurrence(_ mixer: S4, _ x: Tensor) throws -> Tensor {
        var state = try mixer.initialState(batch: x.shape[0])
        return try mixer.reference(x, state: &state) - mixer.skip * x
    }

    /// One recurrence from the beginning, one from the end that has not read the position itself.
    private func reference(_ layer: BidirectionalS4, _ x: Tensor) throws -> Tensor {
        let time = x.shape[1]
        let behind = try recurrence(layer.forward, x)
        let reversed = try Tensor.stack((0..<time).reversed().map { try x.selecting(1, $0) }, axis: 1)
        let ahead = try recurrence(layer.backward, reversed)
        return try Tensor.stack(
            (0..<time).map { t in
                let sum = try behind.selecting(1, t) + layer.forward.skip * x.selecting(1, t)
                return t == time - 1 ? sum : try sum + ahead.selecting(1, time - 2 - t)
            }, axis: 1)
    }

    @Test(arguments: [SpectrumInitialization.legS, .real, .inverse], [1, 2, 3, 17])
    func isTwoRecurrencesFromEitherEnd(_ initialization: SpectrumInitialization, _ time: Int) throws {
        var (layer, generator) = try Self.layer(initialization, copies: 2)
        let x = try generator.normal([2, time, 4], dtype: .float64)
        #expect(try distance(layer(x), reference(layer, x)) < 1e-10)
    }

    @Test func theChannelsAreMixedAfterBoth() throws {
        var (layer, generator) = try Self.layer(mixing: .gatedLinear)
        let x = try generator.normal([2, 9, 4], dtype: .float64)
        let bare = try Self.layer().0
        let values = try bare.parameters.paths.map { try #require(layer.parameters[$0]) }
        let u = try bare.replacingParameters(values)(x).gelu()
        let weight = try #require(layer.parameters["mixing.map.weight"])
        let parts = try u.linear(weight, bias: layer.parameters["mixing.map.bias"]).split(2, axis: -1)
        #expect(try distance(layer(x), parts[0] * parts[1].sigmoid()) < 1e-12)
    }

    @Test func aRowIsTheSameAloneAndPadded() throws {
        var (layer, generator) = try Self.layer(mixing: .gatedLinear)
        let x = try generator.normal([4, 7, 4], dtype: .float64)
        let lengths = [7, 3, 0, 1]
        // What stands behind a row's end must not matter, even if it is no number.
        let counts = lengths.flatMap { length in (0..<7).map { $0 < length ? 1.0 : 0 } }
        let padded = try Tensor.select(
            Tensor(counts, shape: [4, 7, 1]), x, Tensor.full([], .nan, dtype: .float64))
        let together = try layer(padded, lengths: lengths)
        #expect(together.shape == x.shape)
        for (row, length) in lengths.enumerated() {
            let own = try together.sliced(0, row..<row + 1)
            if length > 0 {
                let alone = try layer(x.sliced(0, row..<row + 1).sliced(1, 0..<length).contiguous())
                #expect(try distance(alone, own.sliced(1, 0..<length)) < 1e-12)
            }
            if length < 7 { #expect(try own.sliced(1, length..<7).abs().max().scalar() == 0) }
        }
        #expect(try rondoError { _ = try layer(x, lengths: [1, 2]) }.code == .outOfRange)
        #expect(try rondoError { _ = try layer(x, lengths: [1, 2, 3, 8]) }.code == .outOfRange)
        #expect(try rondoError { _ = try layer(x.sliced(2, 0..<3)) }.code == .shapeMismatch)
        #expect(try layer(x.sliced(1, 0..<0)).shape == [4, 0, 4])
    }

    @Test func derivativesAreThoseOfDifferences() throws {
        var (layer, generator) = try Self.layer(mixing: .gatedLinear)
        let x = try generator.normal([2, 5, 4], dtype: .float64)
        #expect(layer.parameters.paths.contains("readout_ahead") && layer.parameters.paths.contains("low_rank"))
        let mismatch = try GradientCheck.mismatch([x] + layer.parameters.tensors) { moved in
            [try layer.replacingParameters(Array(moved.dropFirst()))(moved[0], lengths: [5, 3])]
        }
        #expect(mismatch == nil, "\(mismatch ?? "")")
    }
}
