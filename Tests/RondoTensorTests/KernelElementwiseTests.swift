import CRondoKernels
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

private struct UnaryCase: Sendable {
    var name: String
    var op: rk_unary_op
    var range: ClosedRange<Double>
    var value: @Sendable (Double) -> Double
    var slope: @Sendable (Double) -> Double

    init(
        _ name: String, _ op: rk_unary_op, in range: ClosedRange<Double> = -5...5,
        _ value: @escaping @Sendable (Double) -> Double, _ slope: @escaping @Sendable (Double) -> Double
    ) {
        (self.name, self.op, self.range, self.value, self.slope) = (name, op, range, value, slope)
    }
}

private func sigmoid(_ x: Double) -> Double { x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)) }
private func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
private func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
private func density(_ x: Double) -> Double { exp(-x * x / 2) / (2 * Double.pi).squareRoot() }
private func geluArgument(_ x: Double) -> Double { 2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x) }

private let unaryCases: [UnaryCase] = [
    UnaryCase("negate", RK_NEGATE, { -$0 }, { _ in -1 }),
    UnaryCase("abs", RK_ABS, { abs($0) }, { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }),
    UnaryCase("sign", RK_SIGN, { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }, { _ in 0 }),
    UnaryCase("exp", RK_EXP, in: -80...80, { exp($0) }, { exp($0) }),
    UnaryCase("expm1", RK_EXPM1, { expm1($0) }, { exp($0) }),
    UnaryCase("log", RK_LOG, in: 1e-30...1e3, { log($0) }, { 1 / $0 }),
    UnaryCase("log1p", RK_LOG1P, in: -0.9...50, { log1p($0) }, { 1 / (1 + $0) }),
    UnaryCase("sqrt", RK_SQRT, in: 1e-4...1e3, { $0.squareRoot() }, { 0.5 / $0.squareRoot() }),
    UnaryCase("rsqrt", RK_RSQRT, in: 1e-2...1e3, { 1 / $0.squareRoot() }, { -0.5 / ($0 * $0.squareRoot()) }),
    UnaryCase("reciprocal", RK_RECIPROCAL, in: 0.1...9, { 1 / $0 }, { -1 / ($0 * $0) }),
    UnaryCase("square", RK_SQUARE, { $0 * $0 }, { 2 * $0 }),
    UnaryCase("sin", RK_SIN, in: -2e5...2e5, { sin($0) }, { cos($0) }),
    UnaryCase("cos", RK_COS, in: -2e5...2e5, { cos($0) }, { -sin($0) }),
    UnaryCase("tanh", RK_TANH, { tanh($0) }, { 1 / (cosh($0) * cosh($0)) }),
    UnaryCase("sigmoid", RK_SIGMOID, in: -90...30, sigmoid, { sigmoid($0) * sigmoid(-$0) }),
    UnaryCase("relu", RK_RELU, { max($0, 0) }, { $0 > 0 ? 1 : 0 }),
    UnaryCase("gelu", RK_GELU, in: -5.5...9, { $0 * cumulative($0) }, { cumulative($0) + $0 * density($0) }),
    UnaryCase(
        "gelu_tanh", RK_GELU_TANH, { $0 * sigmoid(geluArgument($0)) },
        {
            let s = sigmoid(geluArgument($0))
            return s + $0 * s * (1 - s) * 2 * (2 / Double.pi).squareRoot() * (1 + 3 * 0.044715 * $0 * $0)
        }),
    UnaryCase("silu", RK_SILU, in: -80...80, { $0 * sigmoid($0) }, { sigmoid($0) + $0 * sigmoid($0) * sigmoid(-$0) }),
    UnaryCase("softplus", RK_SOFTPLUS, in: -80...80, softplus, sigmoid),
    UnaryCase("log_sigmoid", RK_LOG_SIGMOID, in: -80...80, { -softplus(-$0) }, { sigmoid(-$0) }),
    UnaryCase("erf", RK_ERF, in: -4...4, { erf($0) }, { 2 / Double.pi.squareRoot() * exp(-$0 * $0) }),
    UnaryCase("floor", RK_FLOOR, { $0.rounded(.down) }, { _ in 0 }),
    UnaryCase("round", RK_ROUND, { $0.rounded(.toNearestOrEven) }, { _ in 0 }),
]

@Suite struct KernelElementwiseTests {
    /// Relative error of every function over its whole range, in units of the last place.
    private func check<Scalar: KernelScalar>(_ test: UnaryCase, _: Scalar.Type, units: Double) {
        for count in kernelSizes {
            let x: [Scalar] = numbers(count, in: test.range, seed: UInt64(count))
            var y = x
            rk_unary(Scalar.kernelType, test.op, x, &y, count)
            let expected = x.map { test.value(Double($0)) }
            expectClose(y, expected, units * Double(Scalar.ulpOfOne), floor: 1e-30, test.name)
            var inPlace = x
            inPlace.withUnsafeMutableBytes {
                rk_unary(Scalar.kernelType, test.op, $0.baseAddress, $0.baseAddress, count)
            }
            #expect(inPlace == y)
        }
    }

    private func checkGradient<Scalar: KernelScalar>(_ test: UnaryCase, _: Scalar.Type) {
        for count in kernelSizes {
            let x: [Scalar] = numbers(count, in: test.range, seed: UInt64(count))
            let g: [Scalar] = numbers(count, seed: 7)
            let y = x.map { Scalar(test.value(Double($0))) }
            var dx = g
            rk_unary_gradient(Scalar.kernelType, test.op, x, y, g, &dx, count)
            let expected = zip(x, g).map { test.slope(Double($0)) * Double($1) }
            expectClose(dx, expected, 2 * Scalar.tolerance, test.name + " gradient")
        }
    }

    @Test(arguments: 0..<unaryCases.count) func unary(index: Int) {
        let test = unaryCases[index]
        // gelu_tanh amplifies the rounding of its argument in the far tail; gelu's reference here does so in double.
        let units = test.op == RK_GELU_TANH ? 32 : test.op == RK_GELU ? 20 : 3.5
        atEveryLevel {
            check(test, Float.self, units: test.op == RK_GELU ? 3.5 : units)
            check(test, Double.self, units: 2 * units)
            checkGradient(test, Float.self)
            checkGradient(test, Double.self)
        }
    }

    @Test func everyFunctionIsCovered() {
        #expect(Set(unaryCases.map(\.op.rawValue)).count == Int(RK_UNARY_COUNT.rawValue))
    }

    private func unary<Scalar: KernelScalar>(_ op: rk_unary_op, _ x: [Scalar]) -> [Scalar] {
        var y = x
        rk_unary(Scalar.kernelType, op, x, &y, x.count)
        return y
    }

    @Test func specialValues() {
        let inf = Float.infinity
        let x: [Float] = [inf, -inf, 0, -0.0, .nan, 89, -104, .leastNonzeroMagnitude, -1]
        atEveryLevel {
            expectClose(unary(RK_EXP, x), [.infinity, 0, 1, 1, .nan, .infinity, 0, 1, exp(-1)])
            expectClose(
                unary(RK_LOG, x), [.infinity, .nan, -.infinity, -.infinity, .nan, log(89), .nan, log(0x1p-149), .nan])
            expectClose(unary(RK_LOG1P, x), [.infinity, .nan, 0, 0, .nan, log(90), .nan, 0x1p-149, -.infinity])
            expectClose(unary(RK_TANH, x), [1, -1, 0, 0, .nan, 1, -1, 0x1p-149, tanh(-1)])
            expectClose(unary(RK_GELU, x), [.infinity, 0, 0, 0, .nan, 89, 0, 0, -cumulative(-1)])
            expectClose(unary(RK_SOFTPLUS, x), [.infinity, 0, log(2), log(2), .nan, 89, 0, log(2), softplus(-1)])
            #expect(unary(RK_RELU, x).prefix(4) == [inf, 0, 0, 0])
            #expect(unary(RK_RELU, x)[4].isNaN)
            #expect(unary(RK_SIN, x)[0].isNaN)
            // Gradual underflow is kept.
            expectClose(unary(RK_EXP, [-100 as Float]), [exp(-100)], 2.5e-2, floor: 0)
            expectClose(unary(RK_EXP, [-740.0]), [exp(-740)], 2.5e-2, floor: 0)
            #expect(unary(RK_ROUND, [0.5, 1.5, 2.5, -0.5, 8_388_609 as Float]) == [0, 2, 2, 0, 8_388_609])
        }
    }

    private func checkParameters<Scalar: KernelScalar>(_: Scalar.Type) {
        let type = Scalar.kernelType
        for count in kernelSizes {
            let x: [Scalar] = numbers(count, in: 0.1...3)
            var y = x
            rk_affine(type, x, 2.5, -1, &y, count)
            expectClose(y, x.map { 2.5 * Double($0) - 1 })
            rk_clamp(type, x, 0.5, 1.5, &y, count)
            #expect(y == x.map { min(max($0, 0.5), 1.5) })
            y = x
            rk_axpy(type, -0.5, numbers(count, seed: 3, as: Scalar.self), &y, count)
            expectClose(y, zip(x, numbers(count, seed: 3, as: Scalar.self)).map { Double($0) - 0.5 * Double($1) })
            rk_fill(type, 1.25, &y, count)
            #expect(y.allSatisfy { $0 == 1.25 })
            for exponent in [0, 1, 2, 3, 4, 0.5, -0.5, -1, -2, 1.7] {
                rk_power_scalar(type, x, exponent, &y, count)
                expectClose(y, x.map { pow(Double($0), exponent) }, 2 * Scalar.tolerance, "power \(exponent)")
            }
        }
        var nan: [Scalar] = [.nan]
        rk_clamp(type, [Scalar.nan], 0, 1, &nan, 1)
        #expect(nan[0].isNaN)
    }

    @Test func parameters() {
        atEveryLevel {
            checkParameters(Float.self)
            checkParameters(Double.self)
        }
    }
}
