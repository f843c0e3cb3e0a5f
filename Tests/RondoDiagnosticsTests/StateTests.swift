import RondoDiagnostics
import RondoTensor
import Testing

@Suite struct SingularSpectrumTests {
    private func product(_ rows: Int, _ columns: Int, rank: Int, using generator: inout Generator) throws -> [Double] {
        let left = try generator.normal([rows, rank], dtype: .float64)
        let right = try generator.normal([rank, columns], dtype: .float64)
        return try left.matmul(right).array(of: Double.self)
    }

    @Test(arguments: [(20, 7), (7, 20), (32, 32)]) func theRankOfAProductIsFound(rows: Int, columns: Int) throws {
        var generator = Generator(seed: 2)
        let matrix = try product(rows, columns, rank: 3, using: &generator)
        let spectrum = SingularSpectrum(of: matrix, columns: columns)
        #expect(spectrum.values.count == min(rows, columns))
        #expect(spectrum.values.count { $0 > 1e-6 * spectrum.values[0] } == 3)
        #expect(spectrum.effectiveRank > 1 && spectrum.effectiveRank <= 3 + 1e-5)
        let norm = matrix.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(abs(spectrum.norm - norm) < 1e-10 * norm)
    }

    @Test func diagonalMatricesAreTheirOwnSpectrum() {
        let spectrum = SingularSpectrum(of: [3, 0, 0, 0, -4, 0], columns: 3)
        #expect(zip(spectrum.values, [4.0, 3]).allSatisfy { abs($0 - $1) < 1e-12 })
        let identity = SingularSpectrum(of: [1, 0, 0, 0, 1, 0, 0, 0, 1], columns: 3)
        #expect(abs(identity.effectiveRank - 3) < 1e-9)
        #expect(abs(SingularSpectrum(of: [1e-200, 1e-200], columns: 2).effectiveRank - 1) < 1e-9)
        #expect(SingularSpectrum(of: [0, 0, 0, 0], columns: 2).effectiveRank == 0)
        #expect(SingularSpectrum(of: [.nan, 0, 0, 0], columns: 2).effectiveRank.isNaN)
    }

    @Test func largeMatricesKeepTheirTraceAndNorm() throws {
        var generator = Generator(seed: 4)
        let matrix = try generator.normal([64, 64], dtype: .float64)
        let spectrum = SingularSpectrum(of: try matrix.array(of: Double.self), columns: 64)
        // The sum of fourth powers is the squared norm of the Gram matrix, which is computed otherwise.
        let expected: Double = try matrix.matmul(matrix.transposed()).square().sum().scalar()
        let fourth = spectrum.values.reduce(0) { $0 + $1 * $1 * $1 * $1 }
        #expect(abs(fourth / expected - 1) < 1e-12)
    }
}

@Suite struct StateTraceTests {
    /// Two rows of two heads of 2 x 3.
    private func values(_ scales: [Double]) -> [Double] {
        scales.flatMap { scale in [1, 0, 0, 0, 1, 0].map { $0 * scale } }
    }

    @Test func headsAreMeasuredApart() {
        var trace = StateTrace(reference: 8, excess: 4)
        trace.append(values([1, 0.5, 1, 0.5]), shape: [2, 2, 2, 3], name: "s", at: 8)
        trace.append(values([1, 5, 1, 5]), shape: [2, 2, 2, 3], name: "s", at: 16)
        let leaf = trace.leaves[0]
        #expect(leaf.shape == [2, 2, 3])
        let norms = [Double(2).squareRoot(), Double(50).squareRoot()]
        #expect(zip(leaf.points[1].norms, norms).allSatisfy { abs($0 - $1) < 1e-12 })
        #expect(leaf.points[1].effectiveRanks.allSatisfy { abs($0 - 2) < 1e-9 })
        #expect(zip(leaf.points[1].spectrum, [3.0, 3]).allSatisfy { abs($0 - $1) < 1e-9 })
        #expect(zip(leaf.growth(from: 8), [1, 10.0]).allSatisfy { abs($0 - $1) < 1e-12 })
        // A third of the second head's elements are 5, its early level is 0.5 / √3.
        #expect(abs(leaf.points[1].exceeding - 1.0 / 6) < 1e-12)
        let growing = trace.growing()
        #expect(growing.count == 1 && growing[0].head == 1 && growing[0].name == "s")
    }

    @Test func boundedUnitsSaturate() {
        var trace = StateTrace(reference: 1)
        trace.append([0.5, -0.2, 0.1, 0], shape: [1, 4], name: "h", at: 1)
        trace.append([0.999, -1, 0.1, 0], shape: [1, 4], name: "h", at: 2)
        trace.append([2], shape: [1, 1], name: "c", at: 2)
        #expect(trace.leaves.map(\.isBounded) == [true, false])
        #expect(trace.leaves[0].points.map(\.saturated) == [0, 0.5])
        #expect(trace.leaves[0].points[1].effectiveRanks.isEmpty)
    }
}
