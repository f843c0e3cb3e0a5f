import CRondoKernels
import Testing

private struct Extent: Sendable {
    var outer: Int
    var axis: Int
    var inner: Int
}

private let extents = [
    Extent(outer: 1, axis: 1, inner: 1), Extent(outer: 3, axis: 33, inner: 1), Extent(outer: 2, axis: 1000, inner: 1),
    Extent(outer: 2, axis: 5, inner: 3), Extent(outer: 3, axis: 100, inner: 33), Extent(outer: 1, axis: 9, inner: 1100),
    Extent(outer: 2, axis: 0, inner: 3), Extent(outer: 2, axis: 0, inner: 1), Extent(outer: 1, axis: 2100, inner: 1),
]

@Suite struct KernelReduceTests {
    /// The values along the axis of each result.
    private func lines<Scalar: KernelScalar>(_ x: [Scalar], _ e: Extent) -> [[Double]] {
        (0..<e.outer * e.inner).map { at in
            let (o, i) = (at / e.inner, at % e.inner)
            return (0..<e.axis).map { Double(x[(o * e.axis + $0) * e.inner + i]) }
        }
    }

    private func check<Scalar: KernelScalar>(_ e: Extent, _: Scalar.Type) {
        let type = Scalar.kernelType
        var x: [Scalar] = numbers(e.outer * e.axis * e.inner, in: 0.9...1.1)
        var y = [Scalar](repeating: -1, count: e.outer * e.inner)
        rk_reduce(type, RK_SUM, e.outer, e.axis, e.inner, x, &y)
        expectClose(y, lines(x, e).map { $0.reduce(0, +) }, "sum \(e)")
        rk_reduce(type, RK_PRODUCT, e.outer, e.axis, e.inner, x, &y)
        expectClose(y, lines(x, e).map { $0.reduce(1, *) }, 40 * Scalar.tolerance, floor: 1e-30, "product \(e)")
        x = x.map { (value: Scalar) in ((value - 1) * 64).rounded() }  // ties
        rk_reduce(type, RK_MAX, e.outer, e.axis, e.inner, x, &y)
        expectClose(y, lines(x, e).map { $0.max() ?? -.infinity }, "max \(e)")
        rk_reduce(type, RK_MIN, e.outer, e.axis, e.inner, x, &y)
        expectClose(y, lines(x, e).map { $0.min() ?? .infinity }, "min \(e)")
        guard e.axis > 0 else { return }
        var positions = [Int32](repeating: -1, count: y.count)
        rk_arg_reduce(type, false, e.outer, e.axis, e.inner, x, &positions)
        #expect(positions == lines(x, e).map { line in Int32(line.firstIndex { $0 == line.max() } ?? -1) })
        rk_arg_reduce(type, true, e.outer, e.axis, e.inner, x, &positions)
        #expect(positions == lines(x, e).map { line in Int32(line.firstIndex { $0 == line.min() } ?? -1) })
        checkCumulativeSum(e, x)
    }

    private func checkCumulativeSum<Scalar: KernelScalar>(_ e: Extent, _ x: [Scalar]) {
        for reverse in [false, true] {
            var y = x
            rk_cumulative_sum(Scalar.kernelType, reverse, e.outer, e.axis, e.inner, x, &y)
            let expected = lines(x, e).map { line in
                var sum = 0.0
                let sums = (reverse ? line.reversed() : line).map { value in
                    sum += value
                    return sum
                }
                return reverse ? sums.reversed() : sums
            }
            for (line, wanted) in zip(lines(y, e), expected) { expectClose(line.map { Scalar($0) }, wanted) }
        }
    }

    @Test(arguments: 0..<extents.count) func reductions(index: Int) {
        atEveryLevel {
            check(extents[index], Float.self)
            check(extents[index], Double.self)
        }
    }

    @Test func nanWins() {
        let x: [Double] = [1, 5, .nan, 9, .nan, 2]
        atEveryLevel {
            for inner in [1, 2] {
                var y = [Double](repeating: 0, count: inner)
                var at = [Int32](repeating: -1, count: inner)
                rk_reduce(RK_FLOAT64, RK_MAX, 1, 6 / inner, inner, x, &y)
                #expect(y[0].isNaN)
                rk_reduce(RK_FLOAT64, RK_MIN, 1, 6 / inner, inner, x, &y)
                #expect(y[0].isNaN)
                rk_arg_reduce(RK_FLOAT64, false, 1, 6 / inner, inner, x, &at)
                #expect(at[0] == 2 / Int32(inner))
                rk_arg_reduce(RK_FLOAT64, true, 1, 6 / inner, inner, x, &at)
                #expect(at[0] == 2 / Int32(inner))
            }
        }
    }

    @Test func longSumsStayAccurate() {
        let x = [Float](repeating: 0.1, count: 1 << 20)
        let expected = Double(Float(0.1)) * Double(x.count)
        atEveryLevel {
            var y: [Float] = [0, 0]
            rk_reduce(RK_FLOAT32, RK_SUM, 1, x.count, 1, x, &y)
            expectClose([y[0]], [expected], 5e-7)
            rk_reduce(RK_FLOAT32, RK_SUM, 1, x.count / 2, 2, x, &y)
            expectClose(y, [expected / 2, expected / 2], 5e-7)
            var infinite: [Float] = [1, .infinity, 2]
            rk_reduce(RK_FLOAT32, RK_SUM, 1, 3, 1, infinite, &y)
            #expect(y[0] == .infinity)
            infinite[0] = -.infinity
            rk_reduce(RK_FLOAT32, RK_SUM, 1, 3, 1, infinite, &y)
            #expect(y[0].isNaN)
        }
    }

    @Test func squaresAndFiniteness() {
        atEveryLevel {
            for count in kernelSizes {
                var x: [Float] = numbers(count, in: -3e3...3e3)
                let expected = x.map { Double($0) * Double($0) }.reduce(0, +)
                #expect(agree(rk_sum_of_squares(RK_FLOAT32, x, count), expected, 1e-13))
                #expect(rk_all_finite(RK_FLOAT32, x, count))
                for bad in [Float.nan, .infinity, -.infinity] {
                    x[count - 1] = bad
                    #expect(!rk_all_finite(RK_FLOAT32, x, count))
                }
            }
            #expect(agree(rk_sum_of_squares(RK_FLOAT64, [3.0, 4.0], 2), 25, 1e-15))
            #expect(rk_all_finite(RK_FLOAT64, [Double.greatestFiniteMagnitude], 1))
        }
    }
}
