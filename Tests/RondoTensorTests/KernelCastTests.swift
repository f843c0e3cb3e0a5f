import CRondoKernels
import Testing

@Suite struct KernelCastTests {
    private func cast<From, To>(_ from: rk_storage, _ to: rk_storage, _ source: [From], as zero: To) -> [To]
    where From: BitwiseCopyable, To: BitwiseCopyable {
        var target = [To](repeating: zero, count: source.count)
        rk_cast(from, to, source, &target, source.count)
        return target
    }

    /// The nearest of a format's numbers by search; ties go to the even pattern.
    private func nearest(_ x: Double, among sorted: [Double]) -> Int {
        var (low, high) = (0, sorted.count - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if sorted[middle] <= x { low = middle } else { high = middle }
        }
        let (below, above) = (x - sorted[low], sorted[high] - x)
        return below < above || (below == above && low % 2 == 0) ? low : high
    }

    private func checkHalf(_ storage: rk_storage, infinity: Int) {
        // Every positive pattern, in order; infinity stands where the next number would.
        let patterns = (0...infinity).map { UInt16($0) }
        var values = cast(storage, RK_S_FLOAT64, patterns, as: 0.0)
        #expect(values[infinity] == .infinity)
        #expect(zip(values, values.dropFirst()).allSatisfy { $0 < $1 })
        // Every pattern survives a round trip, through floats too.
        #expect(cast(RK_S_FLOAT64, storage, values, as: UInt16(0)) == patterns)
        let floats = cast(storage, RK_S_FLOAT32, patterns, as: Float(0))
        #expect(floats.map(Double.init) == values)
        #expect(cast(RK_S_FLOAT32, storage, floats, as: UInt16(0)) == patterns)
        values[infinity] = 2 * values[infinity - 1] - values[infinity - 2]
        // Ties, their neighbours, and numbers in between.
        let tries = stride(from: 0, to: infinity, by: 37).flatMap { i in
            let middle = (values[i] + values[i + 1]) / 2
            return [middle, middle.nextUp, middle.nextDown, values[i] + 0.3 * (values[i + 1] - values[i])]
        }
        let expected = tries.map { UInt16(nearest($0, among: values)) }
        #expect(cast(RK_S_FLOAT64, storage, tries, as: UInt16(0)) == expected)
        #expect(cast(RK_S_FLOAT64, storage, tries.map { -$0 }, as: UInt16(0)) == expected.map { $0 | 0x8000 })
        let near = tries.map { Float($0) }
        let nearExpected = near.map { $0 == .infinity ? UInt16(infinity) : UInt16(nearest(Double($0), among: values)) }
        #expect(cast(RK_S_FLOAT32, storage, near, as: UInt16(0)) == nearExpected)
        for nan in [
            cast(RK_S_FLOAT32, storage, [Float.nan], as: UInt16(0)), cast(RK_S_FLOAT64, storage, [Double.nan], as: 0),
        ] {
            #expect(cast(storage, RK_S_FLOAT32, nan, as: Float(0))[0].isNaN)
        }
    }

    @Test func halves() {
        atEveryLevel {
            checkHalf(RK_S_FLOAT16, infinity: 0x7C00)
            checkHalf(RK_S_BFLOAT16, infinity: 0x7F80)
        }
    }

    @Test func integers() {
        let x = [
            0, -0.9, 0.9, 127.9, 128, -128.9, -129, 2_147_483_647, 2_147_483_648, -3e9, .nan, .infinity, 16_777_217,
        ]
        let whole: [Int32] = [
            0, 0, 0, 127, 128, -128, -129, .max, .max, .min, 0, .max, 16_777_217,
        ]
        let small: [Int8] = [0, 0, 0, 127, 127, -128, -128, 127, 127, -128, 0, 127, 127]
        atEveryLevel {
            #expect(cast(RK_S_FLOAT64, RK_S_INT32, x, as: Int32(0)) == whole)
            #expect(cast(RK_S_FLOAT64, RK_S_INT8, x, as: Int8(0)) == small)
            #expect(cast(RK_S_FLOAT32, RK_S_INT8, x.map { Float($0) }, as: Int8(0)) == small)
            #expect(cast(RK_S_INT32, RK_S_FLOAT64, whole, as: 0.0) == whole.map(Double.init))
            #expect(cast(RK_S_INT32, RK_S_FLOAT32, whole, as: Float(0)) == whole.map { Float($0) })
            #expect(cast(RK_S_INT32, RK_S_INT8, whole, as: Int8(0)) == whole.map { Int8(clamping: $0) })
            #expect(cast(RK_S_INT8, RK_S_FLOAT32, small, as: Float(0)) == small.map { Float($0) })
            #expect(cast(RK_S_INT32, RK_S_INT32, whole, as: Int32(0)) == whole)
            let long: [Double] = numbers(1000, in: -1e9...1e9)
            #expect(cast(RK_S_FLOAT64, RK_S_FLOAT32, long, as: Float(0)) == long.map { Float($0) })
        }
    }
}
