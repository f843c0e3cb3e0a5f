import RondoTensor

extension FileNode {
    /// Reads the `pre_tokenizer`.
    func preTokenizer() throws -> PreTokenizer {
        let stages = try preTokenizerStages()
        try checkGrowth(
            stages.map { stage in
                switch stage {
                case .byteLevel: 4
                case .metaspace(let metaspace): metaspace.replacement.count
                default: 1
                }
            })
        return PreTokenizer(stages: stages)
    }

    private func preTokenizerStages() throws -> [PreTokenizer.Stage] {
        let type = try type()
        switch type {
        case "Sequence":
            try allowKeys(["type", "pretokenizers"])
            return try required("pretokenizers").elements().flatMap { try $0.preTokenizerStages() }
        case "ByteLevel":
            // Where offsets are trimmed makes no difference to tokens.
            try allowKeys(["type", "add_prefix_space", "trim_offsets", "use_regex"])
            return [
                .byteLevel(
                    addsPrefixSpace: try required("add_prefix_space").bool(),
                    splits: try bool("use_regex", default: true))
            ]
        case "Split":
            try allowKeys(["type", "pattern", "behavior", "invert"])
            return [
                .split(
                    try required("pattern").finder(), try required("behavior").splitBehavior(),
                    inverted: try required("invert").bool())
            ]
        case "Metaspace": return [.metaspace(try metaspace())]
        case "FixedLength":
            try allowKeys(["type", "length"])
            let length = try optional("length")?.count() ?? 5
            guard length > 0 else { throw failure("'length' must be at least 1") }
            return [.fixedLength(length)]
        default: return try classSplits(type)
        }
    }

    /// The pre-tokenizers that cut at characters of a class.
    private func classSplits(_ type: String) throws -> [PreTokenizer.Stage] {
        switch type {
        case "Whitespace":
            try allowKeys(["type"])
            return [.split(.words, .removed, inverted: true)]
        case "WhitespaceSplit":
            try allowKeys(["type"])
            return [.split(.scalars { CharacterTable.isWhitespace($0) }, .removed, inverted: false)]
        case "BertPreTokenizer":
            try allowKeys(["type"])
            return [
                .split(.scalars { CharacterTable.isWhitespace($0) }, .removed, inverted: false),
                .split(.scalars { CharacterClasses.isPunctuation($0) }, .isolated, inverted: false),
            ]
        case "Punctuation":
            try allowKeys(["type", "behavior"])
            return [
                .split(
                    .scalars { CharacterClasses.isPunctuation($0) },
                    try optional("behavior")?.splitBehavior() ?? .isolated, inverted: false)
            ]
        case "Digits":
            try allowKeys(["type", "individual_digits"])
            let isIndividual = try bool("individual_digits", default: false)
            return [
                .split(
                    .scalars { CharacterClasses.isNumeric($0) }, isIndividual ? .isolated : .contiguous,
                    inverted: false)
            ]
        case "CharDelimiterSplit":
            try allowKeys(["type", "delimiter"])
            return [.split(.literal(try required("delimiter").scalarBytes()), .removed, inverted: false)]
        default: throw unsupported("the pre-tokenizer '\(type)'")
        }
    }

    private func splitBehavior() throws -> SplitBehavior {
        let name = try string()
        guard let behavior = SplitBehavior(rawValue: name) else { throw unsupported("the behavior '\(name)'") }
        return behavior
    }

    private func scalarBytes() throws -> [UInt8] {
        var bytes: [UInt8] = []
        UTF8Text.append(try scalar(), to: &bytes)
        return bytes
    }

    /// Reads a `Metaspace`, which is a pre-tokenizer and a decoder.
    func metaspace() throws -> PreTokenizer.Metaspace {
        try allowKeys(["type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"])
        let name = try string("prepend_scheme") ?? "always"
        guard var scheme = PreTokenizer.Metaspace.Scheme(rawValue: name) else {
            throw unsupported("the prepend_scheme '\(name)'")
        }
        // Files before tokenizers 0.15.1 have no scheme.
        if try !bool("add_prefix_space", default: true) {
            guard optional("prepend_scheme") == nil || scheme == .never else {
                throw failure("'add_prefix_space' is false, but 'prepend_scheme' is '\(name)'")
            }
            scheme = .never
        }
        return PreTokenizer.Metaspace(
            replacement: try required("replacement").scalarBytes(), scheme: scheme,
            splits: try bool("split", default: true))
    }
}
