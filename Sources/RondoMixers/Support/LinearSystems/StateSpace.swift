public import RondoTensor

/// Continuous dynamics x' = A x + B u of one input, dense and in float64: what state space layers are made of.
public struct ContinuousStateSpace: Sendable {
    /// A, `[N, N]`.
    public var matrix: Tensor
    /// B, `[N]`.
    public var input: Tensor

    /// Creates dynamics.
    ///
    /// - Parameters:
    ///   - matrix: A, `[N, N]`.
    ///   - input: B, `[N]`.
    /// - Throws: `RondoError` of code `shapeMismatch` if they do not fit.
    public init(matrix: Tensor, input: Tensor) throws {
        guard matrix.rank == 2, matrix.shape[0] == matrix.shape[1], input.shape == [matrix.shape[0]] else {
            throw RondoError(
                .shapeMismatch,
                "state space: needs A [N, N] and B [N]; got \(matrix.shape) and \(input.shape)")
        }
        self.matrix = try matrix.cast(to: .float64)
        self.input = try input.cast(to: .float64)
    }

    /// The dynamics that a linear state space layer begins with.
    ///
    /// - Parameters:
    ///   - initialization: Which ones.
    ///   - stateSize: N.
    ///   - seed: Draws those that are random.
    /// - Throws: `RondoError` of code `invalidArgument` for an impossible size.
    public init(_ initialization: LSSLInitialization, stateSize: Int, seed: UInt64 = 0) throws {
        try requireValue((1...4096).contains(stateSize), "state size", stateSize, "from 1 to 4096")
        let (a, b) = try initialization.matrices(stateSize, seed: seed)
        try self.init(matrix: a.tensor(.float64), input: b.tensor(.float64).squeezed(1))
    }

    /// A recurrence by the generalised bilinear transform, Ā = (I - α Δ A)⁻¹ (I + (1 - α) Δ A) and
    /// B̄ = (I - α Δ A)⁻¹ Δ B.
    ///
    /// - Parameters:
    ///   - step: Δ.
    ///   - alpha: 0 for Euler's rule, 1/2 for the trapezoidal one, 1 for the backward one.
    /// - Returns: The recurrence.
    /// - Throws: `RondoError` when memory runs out.
    public func discretized(step: Double, alpha: Double = 0.5) throws -> DiscreteStateSpace {
        let (a, b) = try Self.generalizedBilinear(
            matrix, input.expanded(at: 1), steps: Tensor([step]), alpha: alpha)
        return DiscreteStateSpace(matrix: try a.squeezed(0), input: try b.squeezed(0))
    }

    /// The recurrence that is exact for inputs held constant over a step: Ā = exp(Δ A), B̄ = ∫ exp(τ A) B dτ.
    ///
    /// - Throws: `RondoError` when memory runs out.
    public func discretizedByHolding(step: Double) throws -> DiscreteStateSpace {
        let size = input.count
        let (a, b) = (try matrix.array(of: Double.self), try input.array(of: Double.self))
        // The input is a state more, which stays.
        let whole = DoubleMatrix(size + 1, size + 1) { i, j in
            i == size ? 0 : step * (j == size ? b[i] : a[i * size + j])
        }
        let power = whole.exponential()
        return DiscreteStateSpace(
            matrix: try DoubleMatrix(size, size) { power[$0, $1] }.tensor(.float64),
            input: try DoubleMatrix(size, 1) { i, _ in power[i, size] }.tensor(.float64).squeezed(1))
    }

    /// The transform for many steps at once: A `[N, N]`, B `[N, 1]` and Δ `[D]` to Ā `[D, N, N]` and B̄ `[D, N]`.
    static func generalizedBilinear(
        _ a: Tensor, _ b: Tensor, steps: Tensor, alpha: Double
    ) throws -> (matrix: Tensor, input: Tensor) {
        let steps = try steps.expanded(at: 1).expanded(at: 2)
        let scaled = try a.expanded(at: 0) * steps
        let identity = try Tensor.identity(a.shape[0], dtype: a.dtype)
        let entered = try b.expanded(at: 0) * steps
        guard alpha > 0 else { return (try identity + scaled, try entered.squeezed(2)) }
        let inverse = try MatrixInverse()([identity - scaled * alpha])[0]
        let matrix = try inverse.matmul(identity + scaled * (1 - alpha))
        return (matrix, try inverse.matmul(entered).squeezed(2))
    }
}

/// A recurrence x = Ā x⁻ + B̄ u of one input, in float64.
public struct DiscreteStateSpace: Sendable {
    /// Ā, `[N, N]`.
    public var matrix: Tensor
    /// B̄, `[N]`.
    public var input: Tensor

    /// Creates a recurrence from Ā `[N, N]` and B̄ `[N]`.
    public init(matrix: Tensor, input: Tensor) {
        self.matrix = matrix
        self.input = input
    }

    /// All states, position by position from zero.
    ///
    /// - Parameter u: Inputs `[time]`.
    /// - Returns: `[time, N]`.
    /// - Throws: `RondoError` when shapes do not fit.
    public func states(_ u: Tensor) throws -> Tensor {
        let transposed = try matrix.transposed().contiguous()
        var state = try Tensor.zeros([1, input.count], dtype: .float64)
        let states = try u.array(of: Double.self).map { value in
            state = try state.matmul(transposed) + input * value
            return state
        }
        return try states.isEmpty ? Tensor.zeros([0, input.count], dtype: .float64) : Tensor.concatenate(states)
    }

    /// The Krylov matrix B̄, Ā B̄, …, by doubling: about log₂ length products.
    ///
    /// - Parameter length: How many columns.
    /// - Returns: `[N, length]`.
    /// - Throws: `RondoError` of code `invalidArgument` for a length below 1.
    public func krylovMatrix(length: Int) throws -> Tensor {
        try requireValue(length >= 1, "length", length, "1 or more")
        var (columns, power) = (try input.expanded(at: 1), matrix)
        while columns.shape[1] < length {
            columns = try Tensor.concatenate([columns, power.matmul(columns)], axis: 1)
            if columns.shape[1] < length { power = try power.matmul(power) }
        }
        return try columns.sliced(1, 0..<length)
    }

    /// The convolution kernel: C B̄, then C Ā B̄ and so on.
    ///
    /// - Parameters:
    ///   - readout: C, `[M, N]`.
    ///   - length: How many taps.
    /// - Returns: `[M, length]`.
    /// - Throws: `RondoError` when shapes do not fit.
    public func kernel(readout: Tensor, length: Int) throws -> Tensor {
        try readout.matmul(krylovMatrix(length: length))
    }
}

/// HiPPO-LegS in the eigenvectors of its normal part: A = V (Λ - P P*) V* with B, in half of the spectrum.
///
/// The other half are the conjugates: a product C x of real vectors is 2 Re(C V · V* x) over the half that is here.
public struct LegSNormalForm: Sendable {
    /// Λ, `[N / 2]`: real parts -1/2, imaginary parts positive and rising.
    public let eigenvalues: ComplexTensor
    /// V* P, `[N / 2]`.
    public let lowRank: ComplexTensor
    /// V* B, `[N / 2]`.
    public let input: ComplexTensor
    /// V*, `[N / 2, N]`.
    public let basis: ComplexTensor

    /// Diagonalises the normal part in float64.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` for an odd or impossible size.
    public init(stateSize: Int) throws {
        try requireValue(
            (2...4096).contains(stateSize) && stateSize % 2 == 0, "state size", stateSize, "even, from 2 to 4096")
        let system = HiPPO.diagonalizedLegS(stateSize)
        func complex(_ parts: (real: DoubleMatrix, imaginary: DoubleMatrix)) throws -> ComplexTensor {
            ComplexTensor(try parts.real.tensor(.float64), try parts.imaginary.tensor(.float64))
        }
        eigenvalues = ComplexTensor(try Tensor(system.real), try Tensor(system.imaginary))
        lowRank = try complex(system.project(HiPPO.lowRank(stateSize))).mapped { try $0.squeezed(1) }
        input = try complex(system.project(HiPPO.legS(stateSize).b)).mapped { try $0.squeezed(1) }
        basis = try complex(system.basis)
    }
}
