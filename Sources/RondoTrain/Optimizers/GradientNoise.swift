public import RondoNN
import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Gaussian noise of decaying variance, added to every gradient before the optimiser sees it (Neelakantan et al., 2015).
///
/// At update t = 0, 1, 2, … every element gets an independent draw from N(0, η / (1 + t)^γ). A draw depends on the seed,
/// the parameter's path, t and the element's place alone: not on threads, not on other parameters, not on whether a run
/// was interrupted. Nothing else is remembered, so a checkpoint needs no more than the seed and the number of updates.
///
/// The scale is absolute: it presumes losses that are means. `η = 0` is no noise, bit for bit.
public struct GradientNoise: Codable, Sendable, Equatable {
    /// Where noise joins the gradients.
    public enum Placement: String, Codable, Sendable, CaseIterable {
        /// After clipping, which so never takes the noise away.
        case afterClip = "after_clip"
        /// Before clipping, which sees the norm of both together.
        case beforeClip = "before_clip"
    }

    /// η, the variance (not the deviation) at the first update; 0 for no noise.
    ///
    /// The paper chooses among 0.01, 0.3 and 1.
    public var eta: Double
    /// γ, how fast the variance decays; 0 for a constant one.
    public var gamma: Double
    /// Where it joins the gradients.
    public var placement: Placement

    /// Creates noise; by default there is none.
    ///
    /// - Parameters:
    ///   - eta: The variance at the first update.
    ///   - gamma: How fast the variance decays.
    ///   - placement: Where it joins the gradients.
    public init(eta: Double = 0, gamma: Double = 0.55, placement: Placement = .afterClip) {
        self.eta = eta
        self.gamma = gamma
        self.placement = placement
    }

    /// Refuses values that make no sense.
    /// - Throws: `RondoError` of code `invalidArgument` that names the key.
    public func validate() throws {
        try requireValue(eta >= 0 && eta.isFinite, "gradient_noise.eta", eta, "0 (off) or more")
        try requireValue(gamma >= 0 && gamma.isFinite, "gradient_noise.gamma", gamma, "0 (constant) or more")
    }

    /// σ, the standard deviation at an update (t, the number of updates done before): √(η / (1 + t)^γ).
    public func deviation(update: Int) -> Double { (eta / pow(1 + Double(update), gamma)).squareRoot() }

    /// The gradients, scaled, with noise.
    ///
    /// - Parameters:
    ///   - gradients: The gradients by path; a parameter that is visited once (a tied one) gets one draw.
    ///   - scale: Multiplies the gradients, not the noise.
    ///   - update: t, the number of updates done before.
    ///   - seed: The seed of the noise.
    /// - Returns: What the optimiser takes.
    /// - Throws: `RondoError` when there is no memory.
    public func added(
        to gradients: ParameterSet, scale: Double = 1, update: Int, seed: UInt64
    ) throws -> ParameterSet {
        let sigma = deviation(update: update)
        var noisy = gradients
        for (index, path) in gradients.paths.enumerated() {
            let gradient = gradients.tensors[index]
            var generator = Generator(seed: seed, stream: Self.stream(path: path, update: update))
            let noise = try generator.normal(gradient.shape, deviation: sigma, dtype: gradient.dtype)
            noisy.tensors[index] = try (scale == 1 ? gradient : gradient * scale) + noise
        }
        return noisy
    }

    /// Clips and adds noise in the order that is asked for.
    ///
    /// - Returns: The gradients and what they still have to be multiplied by.
    func prepare(
        _ gradients: ParameterSet, norm: GradientNorm, clipNorm: Double?, update: Int, seed: UInt64
    ) throws -> (gradients: ParameterSet, scale: Double) {
        guard eta > 0 else { return (gradients, norm.scale(limit: clipNorm)) }
        switch placement {
        case .afterClip:
            let scale = norm.scale(limit: clipNorm)
            return (try added(to: gradients, scale: scale, update: update, seed: seed), 1)
        case .beforeClip:
            let noisy = try added(to: gradients, update: update, seed: seed)
            return (noisy, try clipNorm == nil ? 1 : GradientNorm(of: noisy).scale(limit: clipNorm))
        }
    }

    /// A stream of its own for every parameter and update: FNV-1a of the path, mixed with the update.
    private static func stream(path: String, update: Int) -> UInt64 {
        let name = path.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return Generator.mixed(name, UInt64(update) &+ 1)
    }
}
