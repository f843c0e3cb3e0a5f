import RondoTensor
import RondoTokenizers
import Testing

@Suite struct VocabularyTests {
    @Test func everyByteSurvivesTheRoundTrip() throws {
        let bytes = [UInt8](0...255)
        let tokens = ByteVocabulary().encode(bytes)
        #expect(tokens == (0..<256).map(Int32.init))
        #expect(try ByteVocabulary().decode(tokens) == bytes)
        #expect(ByteVocabulary().encode("é") == [0xC3, 0xA9])
    }

    @Test(arguments: [-1, 256, Int32.max]) func refusesTokensOutsideTheVocabulary(token: Int32) {
        let error = #expect(throws: RondoError.self) { try ByteVocabulary().decode([65, token]) }
        #expect(error?.code == .outOfRange)
        #expect(error?.message.contains("\(token)") == true)
    }
}

@Suite struct StreamingDecoderTests {
    @Test func charactersAppearWhole() {
        var decoder = StreamingDecoder()
        let pieces = Array("aé€😀b".utf8).map { decoder.append([$0]) }
        let shown = pieces.filter { !$0.isEmpty }.map { String(decoding: $0, as: UTF8.self) }
        #expect(shown == ["a", "é", "€", "😀", "b"])
        #expect(decoder.finish().isEmpty)
    }

    /// Bytes that can never become a character must not wait for ones that will not come.
    @Test(
        arguments: [
            [0xFF], [0x80], [0xC0], [0xC1], [0xF5], [0xE0, 0x80], [0xED, 0xA0], [0xF0, 0x80], [0xF4, 0x90],
            [0xC3, 0x41], [0xE2, 0x82, 0x41], [0xF0, 0x9F, 0x98, 0x41], [0xE2, 0x82, 0x82], [0x80, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func invalidBytesPassAtOnce(bytes: [UInt8]) {
        var decoder = StreamingDecoder()
        #expect(decoder.append(bytes) == bytes)
        #expect(decoder.pending.isEmpty)
    }

    @Test(arguments: [[0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xE0, 0xA0], [0xED, 0x9F]] as [[UInt8]])
    func incompleteCharactersWait(bytes: [UInt8]) {
        var decoder = StreamingDecoder()
        #expect(decoder.append([0x41] + bytes) == [0x41])
        #expect(decoder.pending == bytes)
        #expect(decoder.finish() == bytes)
        #expect(decoder.pending.isEmpty)
    }

    /// Whatever the bytes and however they are cut, nothing is lost, changed or kept longer than three bytes.
    @Test(arguments: [1, 2, 3, 7]) func keepsEveryByte(pieceLength: Int) {
        var generator = Generator(seed: 3)
        let bytes = (0..<4000).map { _ -> UInt8 in
            // Mostly lead and continuation bytes, the interesting ones.
            let bits = generator.next()
            return UInt8(truncatingIfNeeded: bits) | (bits >> 62 > 0 ? 0x80 : 0)
        }
        var decoder = StreamingDecoder()
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: pieceLength) {
            output += decoder.append(bytes[start..<min(start + pieceLength, bytes.count)])
            #expect(decoder.pending.count <= 3)
        }
        #expect(output + decoder.finish() == bytes)
    }
}
