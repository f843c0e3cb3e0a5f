import RondoTensor

extension FileNode {
    /// Reads the `normalizer`.
    func normalizer() throws -> Normalizer { Normalizer(stages: try normalizerStages()) }

    private func normalizerStages() throws -> [Normalizer.Stage] {
        let type = try type()
        let plain: [String: Normalizer.Stage] = [
            "NFC": .form(.nfc), "NFD": .form(.nfd), "NFKC": .form(.nfkc), "NFKD": .form(.nfkd),
            "Lowercase": .lowercase, "StripAccents": .stripAccents, "Nmt": .nmt, "ByteLevel": .byteLevel,
        ]
        if let stage = plain[type] {
            try allowKeys(["type"])
            return [stage]
        }
        switch type {
        case "Sequence":
            try allowKeys(["type", "normalizers"])
            return try required("normalizers").elements().flatMap { try $0.normalizerStages() }
        case "Strip":
            try allowKeys(["type", "strip_left", "strip_right"])
            return [.strip(left: try required("strip_left").bool(), right: try required("strip_right").bool())]
        case "Prepend":
            try allowKeys(["type", "prepend"])
            return [.prepend(try required("prepend").bytes())]
        case "Replace":
            try allowKeys(["type", "pattern", "content"])
            return [.replace(try required("pattern").finder(), with: try required("content").bytes())]
        case "BertNormalizer", "Bert": return [.bert(try bertNormalizer())]
        case "Precompiled":
            try allowKeys(["type", "precompiled_charsmap"])
            let map = try required("precompiled_charsmap")
            guard let value = try? PrecompiledCharacterMap(base64: map.string()) else {
                throw map.failure("the map is damaged")
            }
            return [.precompiled(value)]
        default: throw unsupported("the normalizer '\(type)'")
        }
    }

    private func bertNormalizer() throws -> Normalizer.Bert {
        try allowKeys(["type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"])
        let lowercases = try required("lowercase").bool()
        return Normalizer.Bert(
            cleansText: try required("clean_text").bool(),
            separatesChinese: try required("handle_chinese_chars").bool(),
            stripsAccents: try bool("strip_accents", default: lowercases), lowercases: lowercases)
    }

    /// Reads a pattern: `{"String": …}` or `{"Regex": …}`.
    func finder() throws -> SegmentFinder {
        try allowKeys(["String", "Regex"])
        if let text = optional("String") { return .literal(try text.bytes()) }
        let expression = try required("Regex")
        do { return try SegmentFinder(pattern: expression.string()) } catch let error as RondoError {
            throw expression.failure(error.message, error.code)
        }
    }
}
