import RondoTensor

/// Step sizes of state-space models.
enum TimeStep {
    /// Offsets whose softplus is uniform in logarithm between 0.001 and `max`.
    static func bias(
        _ count: Int, max: Double = 0.1, dtype: DType, using generator: inout Generator
    ) throws -> Tensor {
        let high = try Tensor.full([], max, dtype: .float64).log().scalar()
        let steps = try generator.uniform([count], low: -6.907_755, high: high, dtype: .float64).exp()
        // The inverse of softplus: Δ + log(1 - e^-Δ).
        return try (steps + (-(-steps).unary(.expm1)).log()).cast(to: dtype)
    }
}
