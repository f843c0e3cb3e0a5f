/// What is put around a sequence of tokens.
struct PostProcessor: Sendable {
    /// A part of the result.
    enum Part: Sendable {
        case tokens([Int32])
        case sequence
    }

    /// One template after the other, each around the result of the one before.
    var templates: [[Part]] = []

    /// The tokens with everything around them.
    func apply(to tokens: [Int32]) -> [Int32] {
        templates.reduce(tokens) { tokens, template in
            template.flatMap { part in
                switch part {
                case .tokens(let added): added
                case .sequence: tokens
                }
            }
        }
    }
}
