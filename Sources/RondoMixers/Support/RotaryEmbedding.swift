import RondoTensor

/// Rotary position embedding: channel pairs turn by the position times a frequency (Su et al., 2021).
///
/// The first half of a head's channels pairs with the second half, as in Llama and GPT-NeoX. Angles are computed in
/// float64: at position 100,000 a float32 angle would have lost two digits.
struct RotaryEmbedding: Sendable {
    let width: Int
    let base: Double

    /// Turns the first `width` channels of `[batch, time, heads, channels]`, whose rows begin at `positions`.
    func callAsFunction(_ x: Tensor, positions: [Int]) throws -> Tensor {
        let (cosines, sines) = try waves(positions, time: x.shape[1], dtype: x.dtype)
        let channels = x.shape[x.rank - 1]
        let halves = try (channels == width ? x : x.channels(0..<width)).split(2, axis: -1)
        let turned = [
            try halves[0] * cosines - halves[1] * sines, try halves[1] * cosines + halves[0] * sines,
        ]
        return try Tensor.concatenate(
            channels == width ? turned : turned + [x.channels(width..<channels)], axis: -1)
    }

    /// cos and sin, `[batch or 1, time, 1, width / 2]`.
    private func waves(_ positions: [Int], time: Int, dtype: DType) throws -> (Tensor, Tensor) {
        let rows = Set(positions).count == 1 ? Array(positions.prefix(1)) : positions
        let times = rows.flatMap { start in (0..<time).map { Double(start + $0) } }
        let exponents = try Tensor.range(width / 2, dtype: .float64) * (-2 / Double(width))
        let frequencies = try Tensor.full([], base, dtype: .float64).power(exponents)
        let angles = try Tensor(times, shape: [rows.count, time, 1, 1]) * frequencies
        return (try angles.unary(.cos).cast(to: dtype), try angles.unary(.sin).cast(to: dtype))
    }
}
