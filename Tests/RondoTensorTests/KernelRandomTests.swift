import CRondoKernels
import Testing

/// Philox4x32-10 by its definition.
private func philox(_ counter: [UInt32], _ key: [UInt32]) -> [UInt32] {
    var (c, k) = (counter, key)
    for _ in 0..<10 {
        let p0 = UInt64(c[0]) * 0xD251_1F53
        let p1 = UInt64(c[2]) * 0xCD9E_8D57
        c = [
            UInt32(truncatingIfNeeded: p1 >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: p1),
            UInt32(truncatingIfNeeded: p0 >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: p0),
        ]
        k = [k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85]
    }
    return c
}

@Suite struct KernelRandomTests {
    @Test func referenceMatchesPublishedVectors() {
        #expect(philox([0, 0, 0, 0], [0, 0]) == [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8])
        let ones = UInt32.max
        #expect(
            philox([ones, ones, ones, ones], [ones, ones]) == [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD])
    }

    @Test func bitsMatchTheReference() {
        let (key, stream): (UInt64, UInt64) = (0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210)
        let halves = { (x: UInt64) in [UInt32(truncatingIfNeeded: x), UInt32(truncatingIfNeeded: x >> 32)] }
        atEveryLevel {
            for offset: UInt64 in [0, 5, 0xFFFF_FFFE * 4, 1 << 60] {
                for count in kernelSizes {
                    var bits = [UInt32](repeating: 0, count: count)
                    rk_random_bits(key, stream, offset, &bits, count)
                    let expected = (0..<count).map { i in
                        let position = offset + UInt64(i)
                        return philox(halves(position / 4) + halves(stream), halves(key))[Int(position % 4)]
                    }
                    #expect(bits == expected)
                }
            }
            var first = [UInt32](repeating: 0, count: 4)
            rk_random_bits(0, 0, 0, &first, 4)
            #expect(first == [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8])
        }
    }

    private typealias Fill<Scalar> = (_ offset: UInt64, _ out: inout [Scalar]) -> Void

    /// Any piece of a stream is the same numbers as in the whole.
    private func checkPieces<Scalar: KernelScalar>(_ fill: Fill<Scalar>) {
        var whole = [Scalar](repeating: 0, count: 300)
        fill(0, &whole)
        for (begin, end) in [(0, 1), (1, 2), (3, 40), (31, 33), (64, 96), (17, 300)] {
            var piece = [Scalar](repeating: 0, count: end - begin)
            fill(UInt64(begin), &piece)
            #expect(piece == Array(whole[begin..<end]))
        }
    }

    private func moments<Scalar: KernelScalar>(_ x: [Scalar]) -> (mean: Double, variance: Double, kurtosis: Double) {
        let values = x.map(Double.init)
        let count = Double(x.count)
        let mean = values.reduce(0, +) / count
        let variance = values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / count
        let fourth = values.map { ($0 - mean) * ($0 - mean) * ($0 - mean) * ($0 - mean) }.reduce(0, +) / count
        return (mean, variance, fourth / (variance * variance))
    }

    private func neighbourCovariance<Scalar: KernelScalar>(_ x: [Scalar], mean: Double) -> Double {
        var sum = 0.0
        for (a, b) in zip(x, x.dropFirst()) { sum += (Double(a) - mean) * (Double(b) - mean) }
        return sum / Double(x.count)
    }

    private func checkUniform<Scalar: KernelScalar>(_: Scalar.Type) {
        let fill: Fill<Scalar> = { rk_random_uniform(Scalar.kernelType, 3, 4, $0, -1, 2, &$1, $1.count) }
        checkPieces(fill)
        var x = [Scalar](repeating: 0, count: 40_000)
        fill(0, &x)
        #expect(x.allSatisfy { $0 >= -1 && $0 < 2 })
        let (mean, variance, _) = moments(x)
        #expect(abs(mean - 0.5) < 5 * (0.75 / 40_000).squareRoot())
        #expect(abs(variance - 0.75) < 0.02)
        #expect(abs(neighbourCovariance(x, mean: 0.5)) < 0.02)
        var narrow = [Scalar](repeating: 0, count: 1000)
        rk_random_uniform(Scalar.kernelType, 3, 4, 0, 1, Double(Scalar(1).nextUp), &narrow, 1000)
        #expect(narrow.allSatisfy { $0 == 1 })
    }

    private func checkNormal<Scalar: KernelScalar>(_: Scalar.Type) {
        let fill: Fill<Scalar> = { rk_random_normal(Scalar.kernelType, 3, 5, $0, 1, 2, &$1, $1.count) }
        checkPieces(fill)
        var x = [Scalar](repeating: 0, count: 40_000)
        fill(0, &x)
        let (mean, variance, kurtosis) = moments(x)
        #expect(abs(mean - 1) < 5 * 2 / 200)
        #expect(abs(variance - 4) < 5 * 4 * (2.0 / 40_000).squareRoot())
        #expect(abs(kurtosis - 3) < 5 * (24.0 / 40_000).squareRoot())
        #expect(abs(neighbourCovariance(x, mean: 1)) < 0.1)
        let within = x.count { abs($0 - 1) < 2 }
        #expect(abs(Double(within) / 40_000 - 0.682_689) < 0.012)
    }

    private func checkDropout<Scalar: KernelScalar>(_: Scalar.Type) {
        let x: [Scalar] = numbers(10_000, in: 1...2)
        for probability in [0, 0.3, 1] {
            var y = x
            rk_dropout(Scalar.kernelType, 1, 2, 7, probability, x, &y, x.count)
            let kept = zip(x, y).filter { $1 != 0 }
            #expect(kept.allSatisfy { agree(Double($1), Double($0) / (1 - probability), Scalar.tolerance) })
            #expect(abs(Double(kept.count) / 10_000 - (1 - probability)) < 0.025)
            var piece = Array(x[33..<133])
            rk_dropout(Scalar.kernelType, 1, 2, 40, probability, Array(x[33..<133]), &piece, 100)
            #expect(piece == Array(y[33..<133]))
        }
    }

    @Test func distributions() {
        atEveryLevel {
            checkUniform(Float.self)
            checkUniform(Double.self)
            checkNormal(Float.self)
            checkNormal(Double.self)
            checkDropout(Float.self)
            checkDropout(Double.self)
        }
    }
}
