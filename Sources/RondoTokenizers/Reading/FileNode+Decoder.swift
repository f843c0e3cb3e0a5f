extension FileNode {
    /// Reads the `decoder`.
    func decoder() throws -> TokenDecoder {
        let stages = try decoderStages()
        try checkGrowth(
            stages.map { stage in
                if case .replace(_, let content) = stage { content.count } else { 1 }
            })
        return TokenDecoder(stages: stages)
    }

    private func decoderStages() throws -> [TokenDecoder.Stage] {
        let type = try type()
        switch type {
        case "Sequence":
            try allowKeys(["type", "decoders"])
            return try required("decoders").elements().flatMap { try $0.decoderStages() }
        case "ByteLevel":
            try allowKeys(["type", "add_prefix_space", "trim_offsets", "use_regex"])
            return [.byteLevel]
        case "ByteFallback", "Fuse":
            try allowKeys(["type"])
            return [type == "Fuse" ? .fuse : .byteFallback]
        case "Metaspace":
            let metaspace = try metaspace()
            return [.metaspace(replacement: metaspace.replacement, dropsFirst: metaspace.scheme != .never)]
        case "WordPiece":
            try allowKeys(["type", "prefix", "cleanup"])
            return [.wordPiece(prefix: try required("prefix").bytes(), cleansUp: try required("cleanup").bool())]
        case "Replace":
            try allowKeys(["type", "pattern", "content"])
            return [.replace(try required("pattern").finder(), with: try required("content").bytes())]
        case "Strip":
            try allowKeys(["type", "content", "start", "stop"])
            return [try strip()]
        case "BPEDecoder":
            try allowKeys(["type", "suffix"])
            return [.suffix(try required("suffix").bytes())]
        default: throw unsupported("the decoder '\(type)'")
        }
    }

    private func strip() throws -> TokenDecoder.Stage {
        let content = try required("content")
        _ = try content.scalar()
        let counts = [try required("start").count(), try required("stop").count()]
        guard counts.allSatisfy({ $0 <= 1_000_000 }) else { throw failure("'start' and 'stop' are too large") }
        return .strip(content: try content.bytes(), start: counts[0], stop: counts[1])
    }
}
