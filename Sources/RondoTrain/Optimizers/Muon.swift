public import RondoTensor

/// Muon (Jordan et al., 2024): momentum made orthogonal, for matrices between hidden layers; AdamW for the rest.
public struct Muon: Optimizer {
    /// How far a step goes for a matrix `[rows, columns]`.
    public enum Scale: String, Sendable, Codable, CaseIterable {
        /// √max(1, rows / columns), with rates around 0.02.
        case original
        /// 0.2 √max(rows, columns): updates as large as AdamW's, so that its rate and decay serve both.
        case matchAdamW = "match_adamw"
    }

    /// η before the schedule, of all parameters.
    public var learningRate: Double { other.learningRate }
    /// The matrices' rate as a multiple of ``learningRate``.
    public var matrixRateFactor: Double
    /// The decay β of the momentum.
    public var momentum: Double
    /// Whether the step looks ahead.
    public var nesterov: Bool
    /// λ of matrices.
    public var weightDecay: Double
    /// The length of a step.
    public var scale: Scale
    /// The rule for embeddings, head and vectors.
    public var other: AdamW

    /// Creates the rule.
    public init(
        other: AdamW, matrixRateFactor: Double = 1, momentum: Double = 0.95, nesterov: Bool = true,
        weightDecay: Double = 0.1, scale: Scale = .matchAdamW
    ) {
        self.other = other
        self.matrixRateFactor = matrixRateFactor
        self.momentum = momentum
        self.nesterov = nesterov
        self.weightDecay = weightDecay
        self.scale = scale
    }

    /// The momentum of matrices, AdamW's moments of the rest.
    public func stateNames(for role: ParameterRole) -> [String] {
        if case .matrix = role { ["momentum"] } else { other.stateNames(for: role) }
    }

    /// b ← β b + (1 - β) g; θ ← (1 - ηλ) θ - η s NS₅(b), or with Nesterov of (1 - β) g + β b.
    public func update(
        _ parameter: inout Tensor, gradient: Tensor, state: inout [Tensor], _ step: OptimizerStep
    ) throws {
        guard case .matrix(let blocks) = step.role else {
            return try other.update(&parameter, gradient: gradient, state: &state, step)
        }
        let share = (1 - momentum) * step.gradientScale
        state[0] = try state[0] * momentum + gradient * share
        let direction = try nesterov ? gradient * share + state[0] * momentum : state[0]
        let matrices = try Self.matrices(direction, blocks)
        let length = Self.length(scale, rows: matrices.shape[1], columns: matrices.shape[2])
        let update = try Self.orthogonalized(matrices).reshaped(parameter.shape)
        // Decay and step in one pass: plain descent along the orthogonal matrix.
        var none: [Tensor] = []
        try OptimizerKernel.sgd(momentum: 0, nesterov: false, decoupledDecay: true, first: false).update(
            &parameter, gradient: update, state: &none, rate: step.rate * matrixRateFactor, decay: weightDecay,
            gradientScale: length)
    }

    /// Five Newton-Schulz steps towards the nearest orthogonal matrix: `[count, rows, columns]`, each on its own.
    ///
    /// Singular values end between about 0.68 and 1.14, those near zero below.
    public static func orthogonalized(_ matrices: Tensor) throws -> Tensor {
        let wide = matrices.shape[2] >= matrices.shape[1]
        let norm = try matrices.square().sum([1, 2], keepingAxes: true).sqrt() + 1e-7
        var x = try (wide ? matrices : matrices.transposed()) / norm
        for _ in 0..<5 {
            let gram = try x.matmul(x.transposed())
            let polynomial = try gram * -4.7750 + gram.matmul(gram) * 2.0315
            x = try x * 3.4445 + polynomial.matmul(x)
        }
        return try wide ? x : x.transposed()
    }

    /// Leading axes, and blocks of rows, as separate matrices.
    private static func matrices(_ x: Tensor, _ blocks: Int) throws -> Tensor {
        let (rows, columns) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
        guard blocks > 0, rows % blocks == 0 else {
            throw RondoError(
                .shapeMismatch, "Muon: \(rows) rows of shape \(x.shape) do not divide into \(blocks) blocks")
        }
        return try x.contiguous().reshaped([x.count / Swift.max(1, rows * columns) * blocks, rows / blocks, columns])
    }

    private static func length(_ scale: Scale, rows: Int, columns: Int) -> Double {
        switch scale {
        case .original: max(1, Double(rows) / Double(max(1, columns))).squareRoot()
        case .matchAdamW: 0.2 * Double(max(rows, columns)).squareRoot()
        }
    }
}
