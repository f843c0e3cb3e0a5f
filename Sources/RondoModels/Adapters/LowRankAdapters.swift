public import RondoNN
public import RondoTensor

/// Low-rank additions to the matrices of a model: W + (α / rank) B A.
///
/// Source: Hu et al., LoRA: Low-rank adaptation of large language models, 2021, section 4.1.
public struct LowRankAdapters: Module {
    /// The addition to one matrix.
    public struct Entry: Module {
        /// The matrix's path in the model, as `layers.0.mixer.input.weight`.
        public let path: String
        /// A, `[rank, inputs]`.
        public var a: Tensor
        /// B, `[outputs, rank]`.
        public var b: Tensor

        /// Creates an addition.
        public init(path: String, a: Tensor, b: Tensor) { (self.path, self.a, self.b) = (path, a, b) }

        /// Visits `a` and `b`.
        public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
            try visit("a", &a)
            try visit("b", &b)
        }
    }

    /// What the product of both is multiplied by: α / rank.
    public let scale: Double
    /// The additions, in the order of the model's parameters.
    public var entries: [Entry]

    /// Creates additions from those of a file.
    public init(scale: Double, entries: [Entry]) { (self.scale, self.entries) = (scale, entries) }

    /// Creates additions that change nothing yet: A is random, B is zero.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - rank: The rank of each addition.
    ///   - alpha: The numerator of the scale; twice the rank if `nil`.
    ///   - targets: Ends of the paths of the matrices (without `.weight`), as `mixer.input`; all matrices of the
    ///     layers if empty.
    ///   - generator: Draws A.
    /// - Throws: `RondoError` of code `invalidArgument` for a rank below 1 or a target that no matrix has.
    public init(
        for model: LanguageModel, rank: Int, alpha: Double? = nil, targets: [String] = [],
        using generator: inout Generator
    ) throws {
        try requireValue((1...65_536).contains(rank), "lora_rank", rank, "from 1 to 65536")
        scale = (alpha ?? Double(2 * rank)) / Double(rank)
        let all = model.parameters
        let candidates = zip(all.paths, all.tensors).filter { Self.isMatrix($0, $1) }
        for target in targets {
            try requireValue(
                candidates.contains { Self.matches($0.0, target) }, "lora_targets", target,
                "the end of a matrix's path: " + Self.names(candidates.map(\.0)).joined(separator: ", "))
        }
        let chosen = candidates.filter { path, _ in
            targets.isEmpty || targets.contains { Self.matches(path, $0) }
        }
        entries = try chosen.map { path, weight in
            let (outputs, inputs) = (weight.shape[0], weight.shape[1])
            // As a linear layer's weights, so that the products begin at a moderate size.
            let bound = 1 / Double(inputs).squareRoot()
            return Entry(
                path: path, a: try generator.uniform([rank, inputs], low: -bound, high: bound, dtype: model.dtype),
                b: try Tensor.zeros([outputs, rank], dtype: model.dtype))
        }
    }

    /// The model with the additions in its matrices; derivatives flow through them.
    ///
    /// - Throws: `RondoError` if a matrix is missing or of another shape.
    public func applied(to model: LanguageModel) throws -> LanguageModel {
        var copy = model
        var byPath = Dictionary(entries.map { ($0.path, $0) }) { first, _ in first }
        try copy.forEachParameter { path, weight in
            guard let entry = byPath.removeValue(forKey: path) else { return }
            guard weight.shape == [entry.b.shape[0], entry.a.shape[1]] else {
                throw RondoError(
                    .shapeMismatch,
                    "adapter of '\(path)': is for [\(entry.b.shape[0]), \(entry.a.shape[1])], the model has "
                        + "\(weight.shape)")
            }
            weight = try weight.cast(to: entry.a.dtype) + entry.b.matmul(entry.a) * scale
        }
        guard byPath.isEmpty else {
            throw RondoError(
                .corruptFile,
                "the model has no matrix for the adapters of \(byPath.keys.sorted().joined(separator: ", "))")
        }
        return copy
    }

    /// Visits `path.a` and `path.b` of every addition.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        for index in entries.indices {
            try entries[index].forEachParameter(under: "lora.\(entries[index].path)", visit)
        }
    }

    /// Maps of layers: matrices named `weight` that are not taps of convolutions.
    private static func isMatrix(_ path: String, _ tensor: Tensor) -> Bool {
        path.hasPrefix("layers.") && path.hasSuffix(".weight") && tensor.rank == 2
            && !path.hasSuffix("conv.weight") && !path.hasSuffix("norm.weight")
    }

    private static func matches(_ path: String, _ target: String) -> Bool {
        path == target || path.hasSuffix(".\(target).weight") || path.hasSuffix(".\(target)")
    }

    /// The ends of paths, without layers and repetitions.
    private static func names(_ paths: [String]) -> [String] {
        let ends = paths.map { $0.split(separator: ".").dropFirst(2).dropLast().joined(separator: ".") }
        return Array(Set(ends)).sorted()
    }
}
