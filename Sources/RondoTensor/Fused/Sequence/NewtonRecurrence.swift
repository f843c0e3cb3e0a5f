/// Newton's method on all positions of a nonlinear recurrence at once (Danieli et al., "ParaRNN", 2025).
///
/// h_t = f_t(h_{t-1}) over T positions is one system of equations. Linearised around a guess of all states it is the
/// linear recurrence δ_t = J_t δ_{t-1} + (f_t(h_{t-1}) - h_t), which ``BlockLinearRecurrence`` solves in parallel over
/// time; h + δ is the next guess. Each iteration makes at least one more position exact; contracting cells need about
/// three in all. Where the products of the Jacobians grow, guesses may overflow: then the sequential form takes over.
public struct NewtonRecurrence: Sendable {
    /// The largest number of iterations before the sequential form takes over.
    public var iterationLimit: Int
    /// The largest |f_t(h_{t-1}) - h_t| of a solution, relative to the largest state (at least 1).
    ///
    /// `nil`: eight units of rounding of the element type.
    public var tolerance: Double?
    /// Whether the sequential form takes over where Newton's method does not converge.
    ///
    /// If not, the last guess is the result, and derivatives are those at that guess: wrong, unless it is good.
    public var fallsBack: Bool

    /// Creates a solver.
    public init(iterationLimit: Int = 16, tolerance: Double? = nil, fallsBack: Bool = true) {
        self.iterationLimit = iterationLimit
        self.tolerance = tolerance
        self.fallsBack = fallsBack
    }

    /// A solver that does so many iterations whatever the residual, unless that is 0, as the authors' code does.
    public static func iterating(_ count: Int) -> NewtonRecurrence {
        NewtonRecurrence(iterationLimit: count, tolerance: 0, fallsBack: false)
    }

    /// How a solution was found.
    public struct Report: Sendable {
        /// Linear recurrences solved.
        public var iterations: Int
        /// The largest |f_t(h_{t-1}) - h_t| of the last guess; not finite when the guesses overflowed.
        public var residual: Double
        /// Whether Newton's method converged; otherwise the states come from the sequential form, or are a guess.
        public var converged: Bool
    }

    /// Solves a recurrence.
    ///
    /// - Parameters:
    ///   - initial: the state before the first position, `[batch, k, channels]` with k from 1 to 4.
    ///   - time: the number of positions.
    ///   - guess: all states, `[batch, time, k, channels]`, where the search begins; `nil`: a step from zero states.
    ///   - linearize: from guesses of the states before all positions, `[batch, time, k, channels]`, to the states after
    ///     and their Jacobians `[batch, time, k, k, channels]` (row: after, column: before).
    ///   - sequential: computes the states one after the other, should Newton's method not converge.
    /// - Returns: all states, `[batch, time, k, channels]`, and how they were found.
    /// - Throws: ``RondoError`` when shapes do not fit, and what the closures throw.
    public func solve(
        initial: Tensor, time: Int, guess: Tensor? = nil,
        linearize: (Tensor) throws -> (next: Tensor, jacobian: Tensor),
        sequential: () throws -> Tensor
    ) throws -> (states: Tensor, report: Report) {
        guard initial.rank == 3, time >= 0 else {
            throw RondoError(
                .shapeMismatch,
                "NewtonRecurrence: needs a state [batch, k, channels] and a time of at least 0; got \(initial.shape), \(time)"
            )
        }
        let shape: Shape = [initial.shape[0], time] + initial.shape.dropFirst()
        let zeros = try Tensor.zeros(shape, dtype: initial.dtype)
        guard zeros.count > 0 else { return (zeros, Report(iterations: 0, residual: 0, converged: true)) }
        let before = try initial.detached().expanded(at: 1)
        func shifted(_ states: Tensor) throws -> Tensor {
            try Tensor.concatenate([before, states.sliced(1, 0..<time - 1)], axis: 1)
        }
        let start = try Tensor.zeros(initial.shape, dtype: initial.dtype)
        let rounding = initial.dtype == .float64 ? 0x1p-52 : 0x1p-23
        var states = try guess?.detached() ?? linearize(shifted(zeros)).next
        var residual = Double.infinity
        var iterations = 0
        while true {
            let (next, jacobian) = try linearize(shifted(states))
            let difference = try next - states
            residual = try difference.abs().max().scalar()
            let scale = try Swift.max(1, states.abs().max().scalar())
            if residual <= (tolerance ?? 8 * rounding) * scale {
                return (states, Report(iterations: iterations, residual: residual, converged: true))
            }
            guard residual.isFinite, iterations < iterationLimit else { break }
            states = try states + BlockLinearRecurrence()([jacobian, difference, start])[0]
            iterations += 1
        }
        return (
            try fallsBack ? sequential() : states, Report(iterations: iterations, residual: residual, converged: false)
        )
    }
}
