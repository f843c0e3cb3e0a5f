import RondoTensor

/// A mixer made of continuous dynamics, which can therefore read signals of another sampling rate without training.
public protocol ResamplableMixer: SequenceMixer {
    /// The same dynamics with other steps.
    ///
    /// - Parameter factor: What multiplies all step sizes: 2 for signals sampled half as often.
    /// - Returns: The mixer for such signals.
    /// - Throws: `RondoError` of code `invalidArgument` for a factor that is not positive or makes steps impossible.
    func resampled(by factor: Double) throws -> Self
}

extension ResamplableMixer {
    /// Refuses factors that are no change of rate.
    func requireFactor(_ factor: Double) throws {
        try requireValue(factor > 0 && factor.isFinite, "factor", factor, "a number above 0")
    }
}
