import RondoNN
import RondoTensor

/// Dense dynamics shared by all channels, made discrete with a step size for each.
struct LSSLTransition: Module {
    let alpha: Double
    /// A, if it is trained.
    var trained: LSSLDynamics?
    /// ln Δ, if it is trained.
    var logStep: Tensor?
    /// Ā `[D, N, N]` and B̄ `[D, N]`, if they are constant.
    let fixedMatrix: FixedTensor?
    let fixedInput: FixedTensor?
    /// B, `[N, 1]`.
    let entry: FixedTensor
    /// ln Δ, if it is constant.
    private let fixedLogStep: FixedTensor
    /// Where A begins, which it keeps if it is constant.
    private let first: DoubleMatrix

    init(_ configuration: LSSL.Configuration, width: Int, isOutline: Bool, dtype: DType) throws {
        alpha = configuration.alpha
        let isLearned = configuration.learnsTransition
        let (a, b) = try configuration.initialization.matrices(
            isOutline && !isLearned ? 0 : configuration.stateSize, seed: configuration.initializationSeed)
        let (low, high) = (try Scalar.log(configuration.minStep), try Scalar.log(configuration.maxStep))
        let steps = try Tensor((0..<width).map { low + (high - low) * Double($0) / Double(max(1, width - 1)) })
        let matrix = try a.tensor(.float64)
        trained =
            try isLearned
            ? LSSLDynamics(configuration.structure, begin: a, configuration.initialization, dtype: dtype) : nil
        logStep = try isLearned ? steps.cast(to: dtype) : nil
        let fixed =
            try isLearned || isOutline
            ? nil
            : ContinuousStateSpace.generalizedBilinear(
                matrix, b.tensor(.float64), steps: steps.exp(), alpha: alpha)
        fixedMatrix = try fixed.map { FixedTensor(try $0.matrix.cast(to: dtype)) }
        fixedInput = try fixed.map { FixedTensor(try $0.input.cast(to: dtype)) }
        entry = FixedTensor(try b.tensor(dtype))
        fixedLogStep = FixedTensor(steps)
        first = a
    }

    /// Δ, `[D]`.
    func steps() throws -> Tensor {
        try logStep?.exp() ?? fixedLogStep.tensor.exp().cast(to: entry.tensor.dtype)
    }

    /// A constant A as a diagonal and a lower triangle of rank one, if it is that.
    func semiseparable() throws -> SemiseparableSpaceStep.Dynamics? {
        guard trained == nil, let parts = first.semiseparableParts else { return nil }
        let dtype = entry.tensor.dtype
        func vector(_ values: [Double]) throws -> Tensor { try Tensor(values).cast(to: dtype) }
        return .init(
            diagonal: try vector(parts.diagonal), left: try vector(parts.left), right: try vector(parts.right),
            input: try entry.tensor.squeezed(1))
    }

    /// Ā `[D, N, N]` and B̄ `[D, N]`.
    func discretized() throws -> (matrix: Tensor, input: Tensor) {
        if let fixedMatrix, let fixedInput { return (fixedMatrix.tensor, fixedInput.tensor) }
        guard let trained, let logStep else { return (entry.tensor, entry.tensor) }  // never: one of both is there
        return try ContinuousStateSpace.generalizedBilinear(
            trained.matrix(), entry.tensor, steps: logStep.exp(), alpha: alpha)
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try trained?.forEachParameter(visit)
        try logStep.visit("log_step", visit)
    }
}

/// A trained A: a full matrix, or -P (D + T⁻¹) Q.
struct LSSLDynamics: Module {
    /// A, `[N, N]`, if it is a full matrix.
    var full: Tensor?
    /// P, D and Q, `[3, N]`.
    var scales: Tensor?
    /// T's diagonal, `[N]`.
    var middle: Tensor?
    /// What is below and above it, `[2, N - 1]`.
    var sides: Tensor?

    init(
        _ structure: LSSLStructure, begin: DoubleMatrix, _ initialization: LSSLInitialization, dtype: DType
    ) throws {
        guard structure == .quasiseparable else {
            full = try begin.tensor(dtype)
            return
        }
        let size = begin.rows
        // P = Q takes the normalisation away; D is what is then missing on the diagonal of an inverse of a T.
        let scale = (0..<size).map { initialization == .lagT ? 1 : Double(2 * $0 + 1).squareRoot() }
        let shift = (0..<size).map { n -> Double in
            -begin[n, n] / (scale[n] * scale[n]) - 1
        }
        let inner = DoubleMatrix(size, size) { n, k in
            -begin[n, k] / (scale[n] * scale[k]) - (n == k ? shift[n] : 0)
        }
        let t = inner.solve(.identity(size))
        scales = try Tensor(scale + shift + scale, shape: [3, size]).cast(to: dtype)
        middle = try Tensor((0..<size).map { t[$0, $0] }).cast(to: dtype)
        let beside = (1..<size).map { t[$0, $0 - 1] } + (1..<size).map { t[$0 - 1, $0] }
        sides = try Tensor(beside, shape: [2, size - 1]).cast(to: dtype)
    }

    /// A, `[N, N]`.
    func matrix() throws -> Tensor {
        if let full { return full }
        guard let scales, let middle, let sides else { return try Tensor.zeros([0, 0]) }  // never: one of both is there
        func diagonal(_ values: Tensor) throws -> Tensor {
            try values.expanded(at: 1) * Tensor.identity(values.count, dtype: values.dtype)
        }
        let below = try diagonal(sides.selecting(0, 0)).padded(0, before: 1, after: 0).padded(1, before: 0, after: 1)
        let above = try diagonal(sides.selecting(0, 1)).padded(0, before: 0, after: 1).padded(1, before: 1, after: 0)
        let inverse = try MatrixInverse()([diagonal(middle) + below + above])[0]
        let inner = try inverse + diagonal(scales.selecting(0, 1))
        return try -(scales.selecting(0, 0).expanded(at: 1) * inner * scales.selecting(0, 2))
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try full.visit("matrix", visit)
        try scales.visit("scales", visit)
        try middle.visit("middle", visit)
        try sides.visit("sides", visit)
    }
}
