import RondoTensor
import RondoTestSupport
import Testing

/// What attention promises beyond equality with its reference.
@Suite struct CausalAttentionTests {
    init() { poisonFreshMemory() }

    private static let time = 150

    private struct Operands {
        var q: Tensor, k: Tensor, v: Tensor

        init(seed: UInt64 = 3, _ dtype: DType = .float32) throws {
            var generator = Generator(seed: seed)
            q = try generator.normal([2, CausalAttentionTests.time, 4, 20], dtype: dtype)
            k = try generator.normal([2, CausalAttentionTests.time, 2, 20], dtype: dtype)
            v = try generator.normal([2, CausalAttentionTests.time, 2, 35], dtype: dtype)
        }

        /// The present `range`, with all keys before it.
        func chunk(_ range: Range<Int>) throws -> [Tensor] {
            [
                try q.sliced(1, range), try k.sliced(1, 0..<range.upperBound),
                try v.sliced(1, 0..<range.upperBound),
            ]
        }
    }

    /// `x` with NaN at the positions `range` of axis 1.
    private static func poisoned(_ x: Tensor, _ range: Range<Int>) throws -> Tensor {
        var shape = x.shape
        shape[1] = range.count
        return try Tensor.concatenate(
            [
                try x.sliced(1, 0..<range.lowerBound), try Tensor.full(shape, .nan, dtype: x.dtype),
                try x.sliced(1, range.upperBound..<x.shape[1]),
            ], axis: 1)
    }

    @Test(arguments: [nil, 1, 7, 140], [1, 3, 4, 5, 33, 149])
    func splitsEqualTheWhole(_ window: Int?, _ length: Int) throws {
        let (all, operation) = (try Operands(.float64), CausalAttention(scale: 0.3, window: window))
        let whole = try operation(all.chunk(0..<Self.time))[0]
        let parts = try stride(from: 0, to: Self.time, by: length).map { start in
            try operation(all.chunk(start..<min(start + length, Self.time)))[0]
        }
        let tolerance = Tolerance(.float64, length: Self.time, depth: 4)
        #expect(try tolerance.mismatch(Tensor.concatenate(parts, axis: 1), whole) == nil)
    }

    @Test(arguments: [FusedMode.kernel, .reference]) func theFutureDoesNotReachThePast(_ mode: FusedMode) throws {
        let (all, operation) = (try Operands(), CausalAttention(scale: 0.3))
        let expected = try operation(all.chunk(0..<Self.time), mode: mode)[0]
        for (start, end) in [(0, 1), (1, 2), (70, 71), (127, 129), (149, 150)] {
            let (k, v) = (try Self.poisoned(all.k, start..<end), try Self.poisoned(all.v, start..<end))
            let found = try operation([all.q, k, v], mode: mode)[0]
            #expect(try sameBits(found.sliced(1, 0..<start), expected.sliced(1, 0..<start)))
            #expect(try found.sliced(1, start..<Self.time).array(of: Float.self).allSatisfy { $0.isNaN })
        }
    }

    /// NaN in keys, values, queries and cotangents that a key does not meet.
    @Test func gradientsIgnoreWhatIsNotVisible() throws {
        let (all, window) = (try Operands(), 9)
        let operation = CausalAttention(scale: 0.3, window: window)
        func gradients(_ inputs: [Tensor], poisoning range: Range<Int>?) throws -> [Tensor] {
            let (outputs, pullback) = try valuesAndPullback(of: inputs) { try operation($0) }
            let ones = try Tensor.ones(outputs[0].shape)
            return try pullback([range.map { try Self.poisoned(ones, $0) } ?? ones])
        }
        let expected = try gradients([all.q, all.k, all.v], poisoning: nil)
        let range = 60..<65
        let inputs = try [all.q, all.k, all.v].map { try Self.poisoned($0, range) }
        let found = try gradients(inputs, poisoning: range)
        // Queries from 60 on may be NaN, as are the keys that any of them sees.
        let affected = range.lowerBound - window + 1..<range.upperBound + window - 1 + window
        for (found, expected) in zip(found, expected) {
            for part in [0..<affected.lowerBound, affected.upperBound..<Self.time] {
                #expect(try sameBits(found.sliced(1, part), expected.sliced(1, part)))
            }
        }
    }

    @Test(arguments: [1, 3, 30]) func missingKeysAreNeverRead(_ length: Int) throws {
        let (all, missing) = (try Operands(.float64), 100)
        let present = Self.time - length..<Self.time
        let operation = CausalAttention(scale: 0.3, validFrom: missing)
        var inputs = try all.chunk(present)
        for index in 1...2 { inputs[index] = try Self.poisoned(inputs[index], 0..<missing) }
        let expected = try CausalAttention(scale: 0.3)([
            inputs[0], try inputs[1].sliced(1, missing..<Self.time), try inputs[2].sliced(1, missing..<Self.time),
        ])[0]
        let (outputs, pullback) = try valuesAndPullback(of: inputs) { try operation($0) }
        #expect(try Tolerance(.float64, length: Self.time).mismatch(outputs[0], expected) == nil)
        for gradient in try pullback([Tensor.ones(outputs[0].shape, dtype: .float64)]).dropFirst() {
            #expect(try gradient.sliced(1, 0..<missing).array(of: Double.self).allSatisfy { $0 == 0 })
            #expect(try gradient.array(of: Double.self).allSatisfy(\.isFinite))
        }
    }

    /// Scores far beyond the range of exponentials.
    @Test func largeScoresStayFinite() throws {
        let (all, operation) = (try Operands(), CausalAttention(scale: 1000))
        let inputs = [all.q, all.k, all.v]
        let (outputs, pullback) = try valuesAndPullback(of: inputs) { try operation($0) }
        for result in try outputs + pullback([Tensor.ones(outputs[0].shape)]) {
            #expect(try result.array(of: Float.self).allSatisfy(\.isFinite))
        }
    }

    @Test func refusesWhatDoesNotFit() throws {
        let all = try Operands()
        func message(_ operation: CausalAttention, _ inputs: [Tensor]) -> String? {
            do {
                _ = try operation(inputs)
                return nil
            } catch { return "\(error)" }
        }
        let plain = CausalAttention(scale: 1)
        #expect(message(plain, [all.q, all.k])?.contains("needs q [batch, T, H, D]") == true)
        #expect(message(plain, [all.k, all.q, all.v])?.contains("multiple of G") == true)
        #expect(message(plain, [all.q, try all.k.sliced(1, 0..<9), try all.v.sliced(1, 0..<9)]) != nil)
        #expect(message(plain, [all.q, all.k, try all.v.cast(to: .float64)]) != nil)
        #expect(message(CausalAttention(scale: 1, window: 0), try all.chunk(0..<9))?.contains("window") == true)
        #expect(message(CausalAttention(scale: 1, validFrom: 3), try all.chunk(2..<9))?.contains("0...2") == true)
    }
}
