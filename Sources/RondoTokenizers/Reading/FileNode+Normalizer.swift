import RondoTensor

extension FileNode {
    /// Reads the `normalizer`.
    func normalizer() throws -> Normalizer {
        let stages = try normalizerStages()
        try checkGrowth(
            stages.map { stage in
                switch stage {
                case .replace(_, let content), .prepend(let content): content.count
                case .byteLevel: 2
                default: 1
                }
            })
        return Normalizer(stages: stages)
    }

    /// Refuses steps that together could make a small text endless, each by the factor it is given.
    func checkGrowth(_ factors: [Int]) throws {
        var total = 1
        for factor in factors {
            total = total.multipliedReportingOverflow(by: max(1, factor)).partialValue
            guard (1...Self.largestGrowth).contains(total), factor <= Self.largestGrowth else {
                throw unsupported("a sequence that makes texts more than \(Self.largestGrowth) times as long")
            }
        }
    }

    private static let largestGrowth = 1 << 16

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
