import RondoMixers
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct BidirectionalTests {
    private func model(_ dtype: DType = .float64) throws -> (Bidirectional, Generator) {
        var generator = Generator(seed: 3)
        return (
            try Bidirectional(
                forward: LSTM(LSTM.Configuration(), dModel: 3, dtype: dtype, using: &generator),
                backward: GRU(GRU.Configuration(), dModel: 3, dtype: dtype, using: &generator)), generator
        )
    }

    @Test func rowsAreReversedByTheirOwnLength() throws {
        let x = try Tensor((0..<10).map { Double($0) }, shape: [2, 5, 1])
        let found = try x.reversingTime(lengths: [5, 3]).array(of: Double.self)
        #expect(found == [4, 3, 2, 1, 0, 7, 6, 5, 8, 9])
        #expect(try rondoError { _ = try x.reversingTime(lengths: [5]) }.code == .outOfRange)
        #expect(try rondoError { _ = try x.reversingTime(lengths: [5, 6]) }.code == .outOfRange)
    }

    @Test func aRowIsTheSameAloneAndPadded() throws {
        var (model, generator) = try model()
        let x = try generator.normal([3, 6, 3], dtype: .float64)
        let lengths = [6, 2, 0]
        let together = try model(x, lengths: lengths)
        #expect(together.shape == [3, 6, 6])
        for (row, length) in lengths.enumerated() where length > 0 {
            let alone = try model(x.sliced(0, row..<row + 1).sliced(1, 0..<length).contiguous())
            let inside = try together.sliced(0, row..<row + 1).sliced(1, 0..<length)
            #expect(try (alone - inside).abs().max().scalar() < 1e-14)
        }
        let beyond = try together.sliced(0, 1..<2).sliced(1, 2..<6)
        #expect(try beyond.abs().max().scalar() == 0)
    }

    @Test func theBackwardHalfIsTheMixerFromTheEnd() throws {
        var (model, generator) = try model()
        let x = try generator.normal([1, 4, 3], dtype: .float64)
        let output = try model(x)
        let reversed = try Tensor.stack((0..<4).reversed().map { try x.selecting(1, $0) }, axis: 1)
        let expected = try model.backward.parallel(reversed)
        for time in 0..<4 {
            let difference = try output.selecting(1, time).sliced(1, 3..<6) - expected.selecting(1, 3 - time)
            #expect(try difference.abs().max().scalar() < 1e-14)
        }
    }

    @Test func piecesThatSeeTheWholeRestAreTheWhole() throws {
        var (model, generator) = try model()
        let x = try generator.normal([2, 7, 3], dtype: .float64)
        let whole = try model(x)
        var state = try model.forward.initialState(batch: 2)
        let first = try model.chunk(x.sliced(1, 0..<3), lookAhead: x.sliced(1, 3..<7), state: &state)
        let second = try model.chunk(x.sliced(1, 3..<7), lookAhead: x.sliced(1, 7..<7), state: &state)
        #expect(try (Tensor.concatenate([first, second], axis: 1) - whole).abs().max().scalar() < 1e-14)
    }

    @Test func directionsOfDifferentWidthAreRefused() throws {
        var generator = Generator(seed: 0)
        let narrow = try GRU(GRU.Configuration(), dModel: 2, dtype: .float32, using: &generator)
        let wide = try GRU(GRU.Configuration(), dModel: 3, dtype: .float32, using: &generator)
        #expect(try rondoError { _ = try Bidirectional(forward: narrow, backward: wide) }.code == .invalidArgument)
    }
}
