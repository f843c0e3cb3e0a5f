import RondoDiagnostics
import RondoTensor
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct TimescalesTests {
    /// Independent runs of x ← e^(-1/τ) x + noise, of variance 1, whose autocorrelation is e^(-k/τ).
    private static func runs(
        _ timescale: Double, steps: Int = 10_000, count: Int = 10, using generator: inout Generator
    ) throws -> [[Double]] {
        let keep = exp(-1 / timescale)
        let noise = try generator.normal([count, steps], dtype: .float64).array(of: Double.self)
        return (0..<count).map { run in
            var x = noise[run * steps]
            return (0..<steps).map { step in
                x = keep * x + (1 - keep * keep).squareRoot() * noise[run * steps + step]
                return x
            }
        }
    }

    @Test(arguments: [2.0, 5, 10, 20]) func oneTimescaleIsFound(timescale: Double) throws {
        var generator = Generator(seed: UInt64(timescale))
        let estimate = try #require(TimescaleEstimator()(Self.runs(timescale, using: &generator)))
        #expect(abs(estimate.timescale / timescale - 1) < 0.15)
        #expect(estimate.best.timescales.count == 1)
    }

    @Test(arguments: [(2.0, 20.0), (3, 30), (1, 15)]) func theSlowerOfTwoIsFound(fast: Double, slow: Double) throws {
        var generator = Generator(seed: 7)
        let (first, second) = (
            try Self.runs(fast, using: &generator), try Self.runs(slow, using: &generator)
        )
        let sum = zip(first, second).map { zip($0, $1).map(+) }
        let estimate = try #require(TimescaleEstimator()(sum))
        #expect(estimate.best.timescales.count == 2)
        #expect(abs(estimate.timescale / slow - 1) < 0.25)
    }

    @Test func exactCurvesAreFittedExactly() throws {
        let one = Autocorrelation(values: (0...40).map { exp(-Double($0) / 7) })
        let single = TimescaleEstimator().estimate(one).single
        #expect(abs(single.timescales[0] - 7) < 1e-5)
        #expect(abs(single.amplitudes[0] - 1) < 1e-6)
        let both = ExponentialFit(
            timescales: [2, 25], amplitudes: [0.7, 0.3], residual: 0, informationCriterion: 0)
        let two = Autocorrelation(values: (0...40).map { both.value(at: Double($0)) })
        let best = TimescaleEstimator().estimate(two).best
        #expect(best.timescales.count == 2)
        #expect(zip(best.timescales, [2.0, 25]).allSatisfy { abs($0 - $1) < 1e-3 })
        #expect(zip(best.amplitudes, [0.7, 0.3]).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    @Test func autocorrelationIsTheMeanProduct() throws {
        let autocorrelation = try #require(Autocorrelation(of: [[1, 2, 4, 1], [0, 3, 0, 3]], lags: 2))
        // Deviations -1, 0, 2, -1 and -1.5, 1.5, -1.5, 1.5: their squares are 6 and 9 over 8 values, their products one
        // step apart -2 and -6.75 over 6 pairs, two steps apart -2 and 4.5 over 4 pairs.
        let variance = 15.0 / 8
        let expected = [1, -8.75 / 6 / variance, 2.5 / 4 / variance]
        #expect(zip(autocorrelation.values, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    }

    @Test func silentUnitsAreLeftOut() throws {
        var generator = Generator(seed: 3)
        let active = try Self.runs(5, steps: 500, count: 1, using: &generator)[0]
        let trials = [active.map { [$0, 0.1, .nan] }]
        let units = TimescaleEstimator().units(trials)
        #expect(units.map { $0 == nil } == [false, true, true])
        #expect(TimescaleEstimator()([[1, 2, 3]]) == nil)
        #expect(TimescaleEstimator()([]) == nil)
        #expect(
            TimescaleEstimator().population([active.map { [$0, 2 * $0] }])?.autocorrelation
                == Autocorrelation(of: [active.map { $0 * 1.5 }], lags: 40))
    }
}
