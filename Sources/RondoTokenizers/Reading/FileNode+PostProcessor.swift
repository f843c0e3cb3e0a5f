import RondoIO

extension FileNode {
    /// Reads the `post_processor`, as far as it concerns a single sequence.
    func postProcessor() throws -> PostProcessor { PostProcessor(templates: try templates()) }

    private func templates() throws -> [[PostProcessor.Part]] {
        let type = try type()
        switch type {
        case "Sequence":
            try allowKeys(["type", "processors"])
            return try required("processors").elements().flatMap { try $0.templates() }
        case "ByteLevel":
            // It trims offsets only.
            try allowKeys(["type", "add_prefix_space", "trim_offsets", "use_regex"])
            return []
        case "BertProcessing", "RobertaProcessing":
            try allowKeys(["type", "sep", "cls", "trim_offsets", "add_prefix_space"])
            return [[.tokens([try required("cls").pairedID()]), .sequence, .tokens([try required("sep").pairedID()])]]
        case "TemplateProcessing": return [try template()]
        default: throw unsupported("the post-processor '\(type)'")
        }
    }

    /// The number in `["[CLS]", 101]`.
    private func pairedID() throws -> Int32 {
        let elements = try elements()
        guard elements.count == 2 else { throw failure("must be a token and its number") }
        return try elements[1].tokenID()
    }

    private func template() throws -> [PostProcessor.Part] {
        try allowKeys(["type", "single", "pair", "special_tokens"])
        var specials: [String: [Int32]] = [:]
        if let node = optional("special_tokens") {
            for (name, value) in try node.members() {
                let special = FileNode(value: value, source: source, path: "\(node.path).\(name)")
                specials[name] = try special.required("ids").elements().map { try $0.tokenID() }
            }
        }
        let pieces = try required("single").elements()
        // More than once, again and again, would make texts of any length.
        guard pieces.count(where: { $0.optional("Sequence") != nil }) == 1 else {
            throw unsupported("a template of a single text that does not hold it exactly once")
        }
        return try pieces.map { piece in
            if let sequence = piece.optional("Sequence") {
                let id = try sequence.required("id").string()
                guard id == "A" else { throw sequence.unsupported("the sequence '\(id)' of a single text") }
                return .sequence
            }
            let name = try piece.required("SpecialToken").required("id").string()
            guard let ids = specials[name] else { throw piece.failure("'\(name)' is not among 'special_tokens'") }
            return .tokens(ids)
        }
    }
}
