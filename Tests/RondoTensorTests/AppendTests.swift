import RondoTensor
import Testing

@Suite struct AppendTests {
    /// Entries too small and too large for the slack that allocations happen to have.
    @Test(arguments: [1, 2, 5], [[3], [16], [4, 20]])
    func growsFromNothing(batch: Int, entry: Shape) throws {
        var generator = Generator(seed: 3)
        var grown = try Tensor.zeros([batch, 0] + entry)
        var pieces: [Tensor] = []
        for length in [1, 1, 3, 1, 7, 1, 40] {
            let piece = try generator.normal([batch, length] + entry)
            try grown.append(piece)
            pieces.append(piece)
            let expected = try Tensor.concatenate(pieces, axis: 1)
            #expect(grown.shape == expected.shape)
            #expect(try grown.array(of: Float.self) == expected.array(of: Float.self))
        }
    }

    @Test(arguments: [1, 3]) func aWindowKeepsItsMemory(batch: Int) throws {
        var generator = Generator(seed: 4)
        var window = try Tensor.zeros([batch, 0, 5])
        var all = window
        for step in 0..<60 {
            let piece = try generator.normal([batch, 1, 5])
            try window.append(piece)
            all = try Tensor.concatenate([all, piece], axis: 1)
            if step >= 4 { window = try window.sliced(1, 1..<window.shape[1]) }
            let expected = try all.sliced(1, all.shape[1] - window.shape[1]..<all.shape[1])
            #expect(try window.array(of: Float.self) == expected.array(of: Float.self))
        }
    }

    @Test func theRestOfASliceIsNotOverwritten() throws {
        let whole = try Tensor((0..<24).map { Float($0) }, shape: [2, 4, 3])
        var part = try whole.sliced(1, 0..<2)
        try part.append(Tensor.zeros([2, 1, 3]))
        #expect(try whole.array(of: Float.self) == (0..<24).map { Float($0) })
        #expect(try part.selecting(1, 2).array(of: Float.self) == Array(repeating: 0, count: 6))
    }
}
