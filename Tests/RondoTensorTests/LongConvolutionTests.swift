import Foundation
import RondoTensor
import RondoTestSupport
import Testing

/// Long sequences, which the comparison of all fused operations with their references is too slow for.
@Suite struct LongConvolutionTests {
    /// Few taps, far apart, give a result that a few shifts give too.
    @Test(arguments: [DType.float32, .float64], [2560, 10_000, 16_384])
    func fewTapsAreShifts(_ dtype: DType, _ time: Int) throws {
        var generator = Generator(seed: 3)
        let (batch, channels, lags) = (3, 5, [0, 1, 777, time - 1])
        let u = try generator.normal([batch, time, channels], dtype: dtype)
        let g = try generator.normal([batch, time, channels], dtype: dtype)
        let values = try generator.normal([channels, lags.count], dtype: dtype)
        let kernel = try Tensor.concatenate(
            lags.indices.map { index in
                let end = index + 1 < lags.count ? lags[index + 1] : time
                return try values.sliced(1, index..<index + 1).padded(1, before: 0, after: end - lags[index] - 1)
            }, axis: 1)
        let (outputs, pullback) = try valuesAndPullback(of: [u, kernel]) { try LongConvolution()($0) }
        let gradients = try pullback([g])
        var (y, du) = (try Tensor.zeros(u.shape, dtype: dtype), try Tensor.zeros(u.shape, dtype: dtype))
        let tolerance = Tolerance(dtype, length: batch * time)
        for (index, lag) in lags.enumerated() {
            let (early, late) = (0..<time - lag, lag..<time)
            y = try y + u.sliced(1, early).padded(1, before: lag, after: 0) * values.selecting(1, index)
            du = try du + g.sliced(1, late).padded(1, before: 0, after: lag) * values.selecting(1, index)
            let expected = try (u.sliced(1, early) * g.sliced(1, late)).sum([0, 1])
            #expect(try tolerance.mismatch(gradients[1].selecting(1, lag), expected) == nil, "lag \(lag)")
        }
        #expect(try tolerance.mismatch(outputs[0], y) == nil)
        #expect(try tolerance.mismatch(gradients[0], du) == nil)
    }

    /// Without decay, rounding errors must not pile up over 100 000 powers.
    @Test func powersStayAccurate() throws {
        let (length, angle) = (100_000, Double(Float(1.2345)))
        let (one, zero) = (try Tensor.ones([1, 1]), try Tensor.zeros([1, 1]))
        let k = try VandermondeKernel(length: length)([one, zero, zero, Tensor.full([1, 1], angle)])[0]
        let expected = try Tensor((0..<length).map { 2 * cos(Double($0) * angle) }, shape: [1, length])
        #expect(try Tolerance(.float32).mismatch(k, expected) == nil)
    }

    @Test func shapesAreRefused() throws {
        let u = try Tensor.zeros([1, 4, 2])
        #expect(throws: RondoError.self) { try LongConvolution()([u, Tensor.zeros([3, 4])]) }
        #expect(throws: RondoError.self) { try LongConvolution()([u, Tensor.zeros([2, 0])]) }
        let (pole, node) = (try Tensor.zeros([2, 3]), try Tensor.zeros([4]))
        #expect(throws: RondoError.self) { try CauchyKernel(conjugated: true)([u, u, pole, pole, node, node]) }
        #expect(throws: RondoError.self) { try VandermondeKernel(length: -1)([pole, pole, pole, pole]) }
    }
}
