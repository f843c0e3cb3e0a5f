import CRondoKernels
import Testing

/// Calls a body with every index of a shape, in row-major order.
private func forEachIndex(_ shape: [Int64], _ body: ([Int64]) -> Void) {
    let count = shape.reduce(1, *)
    for position in 0..<count {
        var rest = position
        var index = [Int64](repeating: 0, count: shape.count)
        for axis in shape.indices.reversed() {
            index[axis] = rest % shape[axis]
            rest /= shape[axis]
        }
        body(index)
    }
}

/// Numbers in steps of a half: ties occur, and every operation but division is exact.
private func halves<Scalar: KernelScalar>(_ count: Int, seed: UInt64, as type: Scalar.Type) -> [Scalar] {
    numbers(count, in: 2...8, seed: seed, as: Scalar.self).map { (value: Scalar) in value.rounded() / 2 }
}

private func offset(_ index: [Int64], _ strides: [Int64]) -> Int { Int(zip(index, strides).map(*).reduce(0, +)) }

private func denseStrides(_ shape: [Int64]) -> [Int64] {
    shape.indices.map { shape[($0 + 1)...].reduce(1, *) }
}

private struct Layout: Sendable {
    var shape: [Int64]
    var a: [Int64]
    var b: [Int64]
}

/// Dense, scalar, row and column broadcasts, transpositions, steps and reversals of axes of odd sizes.
private let layouts = [
    Layout(shape: [], a: [], b: []),
    Layout(shape: [33], a: [1], b: [1]),
    Layout(shape: [100], a: [1], b: [0]),
    Layout(shape: [100], a: [0], b: [1]),
    Layout(shape: [33], a: [3], b: [2]),
    Layout(shape: [7, 33], a: [33, 1], b: [0, 1]),
    Layout(shape: [7, 33], a: [33, 1], b: [1, 0]),
    Layout(shape: [33, 35], a: [1, 33], b: [35, 1]),
    Layout(shape: [3, 1, 5, 17], a: [85, 7, 17, 1], b: [17, 0, 0, 1]),
    Layout(shape: [3, 20, 5, 18], a: [1800, 1, 360, 20], b: [0, 90, 18, 1]),
    Layout(shape: [2, 3, 1, 2, 3, 1, 2, 3], a: [108, 36, 36, 18, 6, 6, 3, 1], b: [1, 2, 0, 6, 12, 0, 36, 72]),
]

@Suite struct KernelBroadcastTests {
    private func check<Scalar: KernelScalar>(_ layout: Layout, _: Scalar.Type) {
        let operations: [(rk_binary_op, (Double, Double) -> Double)] = [
            (RK_ADD, { $0 + $1 }), (RK_SUBTRACT, { $0 - $1 }), (RK_MULTIPLY, { $0 * $1 }), (RK_DIVIDE, { $0 / $1 }),
            (RK_MAXIMUM, { max($0, $1) }), (RK_MINIMUM, { min($0, $1) }), (RK_EQUAL, { $0 == $1 ? 1 : 0 }),
            (RK_NOT_EQUAL, { $0 != $1 ? 1 : 0 }), (RK_LESS, { $0 < $1 ? 1 : 0 }), (RK_LESS_EQUAL, { $0 <= $1 ? 1 : 0 }),
            (RK_GREATER, { $0 > $1 ? 1 : 0 }), (RK_GREATER_EQUAL, { $0 >= $1 ? 1 : 0 }),
        ]
        let (type, rank) = (Scalar.kernelType, Int32(layout.shape.count))
        let a = halves(6000, seed: 1, as: Scalar.self)
        let b = halves(6000, seed: 2, as: Scalar.self)
        let count = Int(layout.shape.reduce(1, *))
        for (op, function) in operations {
            var expected: [Double] = []
            forEachIndex(layout.shape) { index in
                expected.append(function(Double(a[offset(index, layout.a)]), Double(b[offset(index, layout.b)])))
            }
            var y = [Scalar](repeating: -1, count: count)
            for (begin, end) in [(0, count / 3), (count / 3, count / 2), (count / 2, count)] {
                rk_binary(type, op, rank, layout.shape, a, layout.a, b, layout.b, &y, begin, end)
            }
            expectClose(y, expected, "binary \(op.rawValue) \(layout)")
        }
        var expected: [Double] = []
        let mask: [Scalar] = a.map { $0 > 2 ? 1 : 0 }
        forEachIndex(layout.shape) { index in
            let chosen = mask[offset(index, layout.a)] != 0 ? b[offset(index, layout.b)] : a[offset(index, layout.b)]
            expected.append(Double(chosen))
        }
        var y = [Scalar](repeating: -1, count: count)
        rk_select(type, rank, layout.shape, mask, layout.a, b, layout.b, a, layout.b, &y, 0, count / 2)
        rk_select(type, rank, layout.shape, mask, layout.a, b, layout.b, a, layout.b, &y, count / 2, count)
        expectClose(y, expected, "select \(layout)")
        checkAddStrided(layout, b)
    }

    private func checkAddStrided<Scalar: KernelScalar>(_ layout: Layout, _ source: [Scalar]) {
        guard !layout.a.contains(0) else { return }
        var target: [Scalar] = numbers(6000, seed: 3)
        var expected = target.map(Double.init)
        forEachIndex(layout.shape) { expected[offset($0, layout.a)] += Double(source[offset($0, layout.b)]) }
        rk_add_strided(
            Scalar.kernelType, Int32(layout.shape.count), layout.shape, source, layout.b, &target, layout.a)
        expectClose(target, expected, "add_strided \(layout)")
    }

    @Test(arguments: 0..<layouts.count) func operations(index: Int) {
        atEveryLevel {
            check(layouts[index], Float.self)
            check(layouts[index], Double.self)
        }
    }

    @Test func powersAndNaN() {
        atEveryLevel {
            let a: [Float] = [2, .nan, 1, -2, 4]
            let b: [Float] = [3, 1, .nan, 2, 0.5]
            var y = a
            rk_binary(RK_FLOAT32, RK_POWER, 1, [5], a, [1], b, [1], &y, 0, 5)
            expectClose(y, [8, .nan, 1, 4, 2])
            for op in [RK_MAXIMUM, RK_MINIMUM] {
                rk_binary(RK_FLOAT32, op, 1, [5], a, [1], b, [1], &y, 0, 5)
                #expect(y[1].isNaN && y[2].isNaN)
            }
        }
    }

    private func checkCopy<Element: FixedWidthInteger>(_ layout: Layout, _: Element.Type) {
        let source = (0..<6000).map { Element(truncatingIfNeeded: $0 &* 2_654_435_761) }
        let (count, dense) = (Int(layout.shape.reduce(1, *)), denseStrides(layout.shape))
        var expected: [Element] = []
        forEachIndex(layout.shape) { expected.append(source[offset($0, layout.a)]) }
        for cut in [0, 1, count / 3, count / 2 + 1] where cut <= count {
            var target = [Element](repeating: 0, count: count)
            for (begin, end) in [(0, cut), (cut, count)] {
                rk_copy(
                    MemoryLayout<Element>.size, Int32(layout.shape.count), layout.shape, source, layout.a, &target,
                    dense, begin, end)
            }
            #expect(target == expected, "\(layout) cut at \(cut)")
        }
        guard !layout.a.contains(0) else { return }
        var scattered = [Element](repeating: 0, count: 6000)
        rk_copy(
            MemoryLayout<Element>.size, Int32(layout.shape.count), layout.shape, expected, dense, &scattered, layout.a,
            0, count)
        forEachIndex(layout.shape) { #expect(scattered[offset($0, layout.a)] == source[offset($0, layout.a)]) }
    }

    @Test(arguments: 0..<layouts.count) func copies(index: Int) {
        checkCopy(layouts[index], UInt8.self)
        checkCopy(layouts[index], UInt16.self)
        checkCopy(layouts[index], UInt32.self)
        checkCopy(layouts[index], UInt64.self)
    }

    @Test func rowsOfTables() {
        let table = (0..<40).map { Int16($0) }
        var out = [Int16](repeating: 0, count: 15)
        rk_gather_rows(3, 10, table, [7, 0, 7], &out)
        #expect(out == [35, 36, 37, 38, 39, 0, 1, 2, 3, 4, 35, 36, 37, 38, 39])
        atEveryLevel {
            for width in kernelSizes {
                let g: [Float] = numbers(3 * width)
                var sums = [Float](repeating: 1, count: 2 * width)
                let half = width / 2
                rk_scatter_add_rows(RK_FLOAT32, 3, width, 0, half, g, [1, 0, 1], &sums)
                rk_scatter_add_rows(RK_FLOAT32, 3, width, half, width, g, [1, 0, 1], &sums)
                let expected = (0..<2 * width).map { j in
                    j < width ? 1 + Double(g[width + j]) : 1 + Double(g[j - width]) + Double(g[width + j])
                }
                expectClose(sums, expected)
            }
        }
    }
}
