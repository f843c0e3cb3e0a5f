import RondoTensor
import Testing

@Suite struct PhiloxTests {
    // Known answers of the Random123 distribution for philox4x32 with ten rounds.
    @Test(
        arguments: [
            (0, 0, 0, SIMD4<UInt32>(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8)),
            (.max, .max, .max, SIMD4<UInt32>(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD)),
            (
                0x299F_31D0_A409_3822, 0x0370_7344_1319_8A2E, 0x85A3_08D3_243F_6A88,
                SIMD4<UInt32>(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1)
            ),
        ] as [(UInt64, UInt64, UInt64, SIMD4<UInt32>)])
    func matchesKnownAnswers(key: UInt64, stream: UInt64, block: UInt64, expected: SIMD4<UInt32>) {
        #expect(Philox.words(key: key, stream: stream, block: block) == expected)
    }

    @Test func uniformCoversTheUnitIntervalEvenly() {
        let count = 10_000
        let draws = (0..<UInt64(count)).map { Philox.uniform(key: 7, stream: 1, block: $0) }
        #expect(draws.allSatisfy { (0..<1).contains($0) })
        // The mean of n uniform numbers deviates by 1 / sqrt(12 n); allow five times as much.
        #expect(abs(draws.reduce(0, +) / Double(count) - 0.5) < 5 / (12 * Double(count)).squareRoot())
        #expect(Set(draws).count == count)
    }
}
