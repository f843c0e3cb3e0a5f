import RondoTensor

/// Rotary position embedding: channel pairs turn by the position times a frequency (Su et al., 2021).
///
/// The first half of a head's channels pairs with the second half, as in Llama and GPT-NeoX. Angles are computed in
/// float64: at position 100,000 a float32 angle would have lost two digits.
struct RotaryEmbedding: Sendable {
    /// The channels of a head that turn.
    private let width: Int
    /// Radians a position for each pair of channels, float64.
    private let frequencies: FixedTensor

    init(width: Int, base: Double) throws {
        self.width = width
        let exponents = try Tensor.range(width / 2, dtype: .float64) * (-2 / Double(width))
        frequencies = FixedTensor(try Tensor.full([], base, dtype: .float64).power(exponents))
    }

    /// Turns the first `width` channels of `[batch, time, heads, channels]`, whose rows begin at `positions`.
    func callAsFunction(_ x: Tensor, positions: [Int]) throws -> Tensor {
        try turn(x, waves(positions, time: x.shape[1], dtype: x.dtype))
    }

    /// The same of queries and keys.
    func callAsFunction(_ q: Tensor, _ k: Tensor, positions: [Int]) throws -> (Tensor, Tensor) {
        let waves = try waves(positions, time: q.shape[1], dtype: q.dtype)
        return (try turn(q, waves), try turn(k, waves))
    }

    private func turn(_ x: Tensor, _ waves: (cosines: Tensor, sines: Tensor)) throws -> Tensor {
        let (cosines, sines) = waves
        let channels = x.shape[x.rank - 1]
        let halves = try (channels == width ? x : x.channels(0..<width)).split(2, axis: -1)
        let turned = [
            try halves[0] * cosines - halves[1] * sines, try halves[1] * cosines + halves[0] * sines,
        ]
        return try Tensor.concatenate(
            channels == width ? turned : turned + [x.channels(width..<channels)], axis: -1)
    }

    /// cos and sin, `[batch or 1, time, 1, width / 2]`.
    private func waves(_ positions: [Int], time: Int, dtype: DType) throws -> (cosines: Tensor, sines: Tensor) {
        let rows = Set(positions).count == 1 ? Array(positions.prefix(1)) : positions
        let times = rows.flatMap { start in (0..<time).map { Double(start + $0) } }
        let angles = try Tensor(times, shape: [rows.count, time, 1, 1]) * frequencies.tensor
        return (try angles.unary(.cos).cast(to: dtype), try angles.unary(.sin).cast(to: dtype))
    }
}
