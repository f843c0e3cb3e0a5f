import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Variants of cells by hand, and how matrices begin.
@Suite struct RecurrentVariantTests {
    init() { poisonFreshMemory() }

    /// One unit, one position, from h = 0.3 and c = 0.8, where it matters which c a peephole sees.
    private func step(_ cell: RecurrentCell, extras: [Double]? = nil) throws -> [Double] {
        let gates = cell.inputGates.count
        let projection = Array([0.5, -0.4, 0.7, 0.2].prefix(gates))
        let result = try RecurrentLoop.run(
            cell,
            .init(
                projection: Tensor(projection, shape: [1, gates]),
                recurrent: Tensor(Array([0.1, 0.2, -0.3, 0.4].prefix(gates)), shape: [gates, 1, 1, 1]),
                states: [Tensor([0.3], shape: [1, 1]), Tensor([0.8], shape: [1, 1])],
                extras: extras.map { try Tensor($0, shape: [$0.count, 1]) }))
        return try result.states.map { try $0.scalar() }
    }

    private func sigmoid(_ x: Double) throws -> Double { try Tensor(x, dtype: .float64).sigmoid().scalar() }
    private func tanh(_ x: Double) throws -> Double { try Tensor(x, dtype: .float64).tanh().scalar() }

    @Test func theOutputGatesPeepholeSeesTheNewCell() throws {
        let found = try step(.lstmPeephole, extras: [0.6, -0.5, 0.9])
        let i = try sigmoid(0.5 + 0.03 + 0.6 * 0.8)
        let f = try sigmoid(-0.4 + 0.06 - 0.5 * 0.8)
        let c = try f * 0.8 + i * tanh(0.7 - 0.09)
        let h = try sigmoid(0.2 + 0.12 + 0.9 * c) * tanh(c)
        #expect(abs(found[1] - c) < 1e-14 && abs(found[0] - h) < 1e-14)
    }

    @Test func withoutAForgetGateTheCellOnlyAdds() throws {
        let found = try step(.lstmNoForget)
        let c = try 0.8 + sigmoid(0.5 + 0.03) * tanh(-0.4 + 0.06)
        let h = try sigmoid(0.7 - 0.09) * tanh(c)
        #expect(abs(found[1] - c) < 1e-14 && abs(found[0] - h) < 1e-14)
    }

    @Test func theSquashingFunctionsOf1997() throws {
        let found = try step(.lstm1997)
        let c = try 0.8 + sigmoid(0.5 + 0.03) * (4 * sigmoid(-0.4 + 0.06) - 2)
        let h = try sigmoid(0.7 - 0.09) * (2 * sigmoid(c) - 1)
        #expect(abs(found[1] - c) < 1e-14 && abs(found[0] - h) < 1e-14)
    }

    private static let radii: [(elements: [Double], radius: Double)] = [
        ([2, 0, 0, -3], 3), ([0, -0.5, 0.5, 0], 0.5), ([0, 1, 0, 0], 0), ([1, 1, 0, 1], 1),
    ]

    @Test(arguments: radii)
    func spectralRadiusIsTheLargestEigenvalue(elements: [Double], radius: Double) throws {
        let found = try Tensor(elements, shape: [2, 2]).spectralRadius()
        // A Jordan block converges like k^(1/k).
        #expect(abs(found - radius) < 1e-9)
    }

    @Test func spectralRadiusNeedsASquare() throws {
        #expect(try rondoError { _ = try Tensor.zeros([2, 3]).spectralRadius() }.code == .shapeMismatch)
    }

    private func layer(_ cell: RecurrentCell, _ change: (inout RecurrentConfiguration) -> Void) throws -> RecurrentLayer
    {
        var configuration = RecurrentConfiguration(cell: cell, inputSize: 3, hiddenSize: 6, heads: 2)
        change(&configuration)
        var generator = Generator(seed: 4)
        return try RecurrentLayer(configuration, dtype: .float64, using: &generator)
    }

    @Test func everyBlockHasTheSpectralRadius() throws {
        let layer = try layer(.elmanTanh) { ($0.initialization, $0.spectralRadius) = (.spectralRadius, 1.25) }
        for head in 0..<2 {
            let radius = try layer.recurrent.selecting(0, 0).selecting(0, head).spectralRadius()
            #expect(abs(radius - 1.25) < 1e-9)
        }
    }

    @Test func orthogonalAndIdenticalBeginnings() throws {
        let identity = try Tensor.identity(3, dtype: .float64)
        let orthogonal = try layer(.lstm) { $0.initialization = .glorotOrthogonal }
        let plain = try layer(.elmanReLU) { $0.initialization = .identity }
        for head in 0..<2 {
            for gate in 0..<4 {
                let block = try orthogonal.recurrent.selecting(0, gate).selecting(0, head)
                #expect(try (block.matmul(block.transposed()) - identity).abs().max().scalar() < 1e-12)
            }
            #expect(try sameBits(plain.recurrent.selecting(0, 0).selecting(0, head).contiguous(), identity))
        }
        // Glorot's bound, by gate: sqrt(6 / (3 + 6)).
        let largest = try orthogonal.weight.abs().max().scalar()
        #expect(largest < 0.8166 && largest > 0.7)
    }

    @Test func theKeepingGateBeginsWithItsBias() throws {
        func bias(_ cell: RecurrentCell, _ value: Double?) throws -> [Double] {
            let bias = try layer(cell) { $0.keepBias = value }.bias.array(of: Double.self)
            return stride(from: 0, to: bias.count, by: 6).map { bias[$0] }
        }
        #expect(try bias(.lstm, nil) == [0, 1, 0, 0])
        #expect(try bias(.lstm, 3) == [0, 3, 0, 0])
        #expect(try bias(.gru, nil) == [0, 0, 0])
        #expect(try bias(.gru, 3) == [0, 3, 0])
        #expect(try bias(.lstmNoForget, 3) == [0, 0, 0])
    }

    @Test func impossibleRadiiAreRefused() throws {
        for radius in [-1, Double.nan] {
            let error = try rondoError { _ = try layer(.elmanTanh) { $0.spectralRadius = radius } }
            #expect(error.code == .invalidArgument)
        }
    }
}
