import RondoTensor
import Testing

@testable import RondoTokenizers

@Suite struct NormalizationTests {
    private func applied(_ form: NormalizationForm, _ text: String) -> String {
        String(decoding: form.applied(to: Array(text.utf8)), as: UTF8.self)
    }

    @Test(
        arguments: [
            ("Å", "A\u{30A}", "Å", "A\u{30A}", "Å"), ("\u{212B}", "A\u{30A}", "Å", "A\u{30A}", "Å"),
            ("ﬁ", "ﬁ", "ﬁ", "fi", "fi"), ("한", "\u{1112}\u{1161}\u{11AB}", "한", "\u{1112}\u{1161}\u{11AB}", "한"),
            ("a\u{323}\u{307}", "a\u{323}\u{307}", "ạ\u{307}", "a\u{323}\u{307}", "ạ\u{307}"),
            ("a\u{307}\u{323}", "a\u{323}\u{307}", "ạ\u{307}", "a\u{323}\u{307}", "ạ\u{307}"),
            ("\u{958}", "\u{915}\u{93C}", "\u{915}\u{93C}", "\u{915}\u{93C}", "\u{915}\u{93C}"),
            ("①Ａ", "①Ａ", "①Ａ", "1A", "1A"),
            (
                "\u{1100}\u{1161}\u{11A8}", "\u{1100}\u{1161}\u{11A8}", "각",
                "\u{1100}\u{1161}\u{11A8}", "각"
            ),
            ("plain", "plain", "plain", "plain", "plain"), ("", "", "", "", ""),
        ])
    func knownForms(text: String, nfd: String, nfc: String, nfkd: String, nfkc: String) {
        #expect(applied(.nfd, text).isIdentical(to: nfd))
        #expect(applied(.nfc, text).isIdentical(to: nfc))
        #expect(applied(.nfkd, text).isIdentical(to: nfkd))
        #expect(applied(.nfkc, text).isIdentical(to: nfkc))
    }

    /// Canonical forms keep the text that `String` sees, all forms are final, and composing undoes nothing.
    @Test func formsOfManyTexts() {
        var generator = Generator(seed: 1)
        for _ in 0..<3000 {
            var text = ""
            for _ in 0..<6 {
                let limits: [UInt64] = [0x250, 0x370, 0x3000, 0x11000]
                let value = UInt32(generator.next() % limits[Int(generator.next() % 4)])
                if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) }
            }
            #expect(applied(.nfc, text) == text && applied(.nfd, text) == text)
            for form in [NormalizationForm.nfc, .nfd, .nfkc, .nfkd] {
                #expect(applied(form, applied(form, text)).isIdentical(to: applied(form, text)))
            }
            #expect(applied(.nfc, applied(.nfd, text)).isIdentical(to: applied(.nfc, text)))
            #expect(applied(.nfkc, applied(.nfkd, text)).isIdentical(to: applied(.nfkc, text)))
        }
    }

    /// Sorting marks must not be quadratic.
    @Test func manyMarks() {
        let text = "a" + String(repeating: "\u{301}\u{323}", count: 20_000)
        #expect(applied(.nfc, text) == text)
    }
}

@Suite struct UTF8TextTests {
    /// The reader of single characters agrees with the standard library about every scalar and about damage.
    @Test func readsScalars() {
        for value in stride(from: UInt32(0), through: 0x10FFFF, by: 7) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            var bytes: [UInt8] = []
            UTF8Text.append(value, to: &bytes)
            #expect(bytes == Array(String(scalar).utf8))
            bytes.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                #expect(UTF8Text.scalar(base, at: 0, end: buffer.count) == (value, buffer.count))
                #expect(UTF8Text.start(base, before: buffer.count, begin: 0) == 0)
            }
        }
    }

    @Test func damageIsNoticed() {
        var generator = Generator(seed: 4)
        for _ in 0..<4000 {
            let bits = generator.next()
            let bytes = (0..<4).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) | ($0 == 0 ? 0xC0 : 0x80) }
            let isText = String(validating: bytes, as: UTF8.self) != nil
            #expect(bytes.withUnsafeBufferPointer { UTF8Text.isWellFormed($0) } == isText)
        }
    }

    @Test func theAlphabetOfBytesIsReversible() {
        let bytes = [UInt8](0...255)
        #expect(ByteAlphabet.decode(ByteAlphabet.encode(bytes)) == bytes)
        #expect(ByteAlphabet.encode([0x20, 0x0A]) == Array("ĠĊ".utf8))
        #expect(ByteAlphabet.decode("a b".utf8.map { $0 }) == nil)
        #expect(ByteAlphabet.decode([0xC4]) == nil)
    }
}
