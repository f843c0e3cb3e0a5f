public import RondoTensor

/// A mixer that can tell the eigenvalues of the linear maps by which it keeps its state from position to position.
///
/// Where s = A s⁻ + what is added, these are the eigenvalues of A: how long something is remembered (the modulus) and
/// how it turns meanwhile (the angle). `rondo diagnose` shows them.
public protocol TransitionReporting: SequenceMixer {
    /// The eigenvalues at every position that would be read.
    ///
    /// Those that are alike by construction appear once: one number for a head whose whole state decays alike. Of
    /// diagonal plus rank one, as I - β k kᵀ, it is the one of the rank-one part, 1 - β (times the decay, if any).
    ///
    /// - Parameters:
    ///   - x: The input, `[batch, time, dModel]`.
    ///   - state: The state before it.
    /// - Returns: `[batch, time, n]`, or `[1, 1, n]` where they depend neither on the row nor on the position.
    /// - Throws: `RondoError` when shapes do not fit.
    func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor

    /// The same as a layer of a model; only mixers whose maps depend on other layers need their own.
    ///
    /// - Parameters:
    ///   - x: The input, `[batch, time, dModel]`.
    ///   - state: The state before it.
    ///   - shared: What the layer finds in the pass.
    /// - Returns: As ``transitionEigenvalues(_:state:)``.
    /// - Throws: `RondoError` when shapes do not fit.
    func transitionEigenvalues(_ x: Tensor, state: MixerState, passing shared: SharedValues) throws -> ComplexTensor
}

extension TransitionReporting {
    /// Those of the mixer alone.
    public func transitionEigenvalues(
        _ x: Tensor, state: MixerState, passing shared: SharedValues
    ) throws -> ComplexTensor {
        try transitionEigenvalues(x, state: state)
    }
}

extension TransitionReporting where Self: LowerBoundedMixer {
    /// Those of the mixer alone.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try transitionEigenvalues(x, state: state, passing: SharedValues())
    }
}

extension ComplexTensor {
    /// Real numbers as complex ones.
    init(real: Tensor) throws { self.init(real, try Tensor.zeros(real.shape, dtype: real.dtype)) }

    /// Numbers of any shape as those of every row and position, `[1, 1, n]`.
    func everywhere() throws -> ComplexTensor { try mapped { try $0.reshaped([1, 1, -1]) } }
}
