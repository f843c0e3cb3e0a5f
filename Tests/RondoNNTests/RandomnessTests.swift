import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Dropout and initialisers: statistics, repeatability, odd sizes.
@Suite struct RandomnessTests {
    init() { poisonFreshMemory() }

    @Test func dropoutKeepsTheMean() throws {
        for probability in [0.1, 0.5, 0.9] {
            let dropout = try Dropout(probability)
            var generator = Generator(seed: 1)
            let x = try Tensor.ones([100, 1001])
            let y = try dropout(x, training: true, using: &generator)
            let zeros = try 1 - y.notEqual(to: Tensor(0)).mean().scalar()
            // Five standard deviations of the mean of a Bernoulli draw.
            let deviation = (probability * (1 - probability) / Double(x.count)).squareRoot()
            #expect(abs(zeros - probability) < 5 * deviation)
            #expect(abs(try y.max().scalar() - 1 / (1 - probability)) < 1e-5)
        }
    }

    @Test func dropoutRepeatsAndMovesOn() throws {
        let dropout = try Dropout(0.5)
        for shape in [[1], [3], [33, 3], [100]] as [Shape] {
            var first = Generator(seed: 2)
            var second = Generator(seed: 2)
            let x = try Tensor.ones(shape)
            #expect(
                try sameBits(
                    dropout(x, training: true, using: &first), dropout(x, training: true, using: &second)))
            #expect(first == second && first.position > 0)
            let before = first
            #expect(try sameBits(dropout(x, training: false, using: &first), x))
            #expect(first == before)
        }
        var generator = Generator(seed: 3)
        let x = try Tensor.ones([100])
        let (a, b) = (
            try dropout(x, training: true, using: &generator), try dropout(x, training: true, using: &generator)
        )
        #expect(try !sameBits(a, b))
        #expect(throws: RondoError.self) { try Dropout(1) }
    }

    @Test func lockedMasksAreEqualAtAllTimesAndDifferBetweenSequences() throws {
        let dropout = try Dropout(0.5, sharedAxes: [1])
        var generator = Generator(seed: 4)
        let y = try dropout(Tensor.ones([2, 7, 33]), training: true, using: &generator)
        let first = try y.sliced(1, 0..<1)
        #expect(try y.equal(to: first).min().scalar() == 1)
        #expect(try !sameBits(first.selecting(0, 0).contiguous(), first.selecting(0, 1).contiguous()))
    }

    @Test func droppedTypesAreZeroWhereverTheyStand() throws {
        var generator = Generator(seed: 5)
        let table = try Embedding(count: 5, size: 3, deviation: 1, using: &generator)
        let tokens = try Tensor((0..<80).map { Int32($0 % 5) }, shape: [4, 20])
        let y = try table(tokens, droppingTypes: 0.5, training: true, using: &generator)
        let ratio = try y / table(tokens)
        // Each sequence repeats its first five tokens: so must their masks, which are 0 or 2.
        let pattern = try ratio.sliced(1, 0..<5)
        for start in stride(from: 5, to: 20, by: 5) {
            #expect(try Tolerance(.float32).mismatch(ratio.sliced(1, start..<start + 5), pattern) == nil)
        }
        let values = Set(try ratio.array(of: Float.self).map { $0.rounded() })
        #expect(values == [0, 2])
    }

    @Test func initialisersHaveTheirMoments() throws {
        let shape: Shape = [200, 100]
        let deviations: [(Initializer, Double)] = [
            (.uniform(bound: 0.3), 0.3 / 3.0.squareRoot()), (.normal(deviation: 0.02), 0.02),
            // A normal cut at two deviations keeps 0.8796 of its deviation.
            (.truncatedNormal(deviation: 0.02), 0.02 * 0.8796),
            (.xavierUniform(), (2.0 / 300).squareRoot()), (.xavierNormal(gain: 2), 2 * (2.0 / 300).squareRoot()),
            (.kaimingUniform(), (2.0 / 100).squareRoot()), (.kaimingNormal(gain: 1), 0.1),
        ]
        for (initializer, deviation) in deviations {
            var generator = Generator(seed: 6)
            let x = try initializer(shape, using: &generator)
            #expect(abs(try x.mean().scalar()) < 5 * deviation / Double(x.count).squareRoot(), "\(initializer)")
            #expect(abs(try x.square().mean().scalar().squareRoot() / deviation - 1) < 0.03, "\(initializer)")
            var again = Generator(seed: 6)
            #expect(try sameBits(x, initializer(shape, using: &again)))
        }
        var generator = Generator(seed: 7)
        let cut = try Initializer.truncatedNormal(deviation: 1)([33, 100], using: &generator)
        #expect(try cut.abs().max().scalar() <= 2)
        #expect(throws: RondoError.self) { try Initializer.xavierNormal()([5], using: &generator) }
    }

    @Test func orthogonalMatricesAreOrthonormal() throws {
        for shape in [[1, 1], [3, 3], [33, 100], [100, 33], [2, 5, 3], [65, 65]] as [Shape] {
            var generator = Generator(seed: 8)
            let x = try Initializer.orthogonal(gain: 2)(shape, dtype: .float64, using: &generator)
            #expect(x.shape == shape)
            let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
            let gram = try rows <= columns ? x.matmul(x.transposed()) : x.transposed().matmul(x)
            let expected = try (Tensor.identity(min(rows, columns), dtype: .float64) * 4).broadcast(to: gram.shape)
            #expect(try Tolerance(.float64, length: 100).mismatch(gram, expected) == nil, "\(shape)")
        }
    }
}
