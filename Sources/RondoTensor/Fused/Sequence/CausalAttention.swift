/// Softmax attention over a prefix and the present chunk, without the matrix of scores.
///
/// With S = P + T keys, the P of the prefix before the T of the present, query t sees the keys
/// j in max(validFrom, P + t - window + 1) ... P + t:
///
///     o[b, t, h] = Σⱼ softmaxⱼ(scale q[b, t, h] · k[b, j, g]) v[b, j, g],   g = h / (H / G)
///
/// Inputs: q `[batch, T, H, D]`, k `[batch, S, G, D]`, v `[batch, S, G, Dv]`; G divides H (grouped queries). Output: o
/// `[batch, T, H, Dv]`. Cutting the present anywhere, and passing what came before as the prefix, changes nothing but
/// rounding. What a query does not see has no influence on its output, even if it is NaN.
///
/// The kernel needs memory linear in S and T: softmax by blocks with a running maximum, as in "FlashAttention" (Dao et
/// al. 2022, algorithm 1) and "Online normalizer calculation for softmax" (Milakov and Gimelshein 2018).
public struct CausalAttention: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "causalAttention"
    /// What scores are multiplied by, commonly 1 / √D.
    public var scale: Double
    /// How many positions a query sees at most, its own included; `nil`: all.
    public var window: Int?
    /// The number of leading keys that do not exist, for a ring that is not yet full.
    public var validFrom: Int

    /// Creates the operation.
    public init(scale: Double, window: Int? = nil, validFrom: Int = 0) {
        self.scale = scale
        self.window = window
        self.validFrom = validFrom
    }

    /// Refuses shapes that do not fit, windows without the present, and leading keys that reach into the present.
    public func validate(_ inputs: [Tensor]) throws {
        let shapes = inputs.map(\.shape)
        guard inputs.count == 3, shapes.allSatisfy({ $0.count == 4 && $0[2] >= 1 && $0[3] >= 1 }),
            shapes[0][0] == shapes[1][0], shapes[0][3] == shapes[1][3], shapes[0][1] <= shapes[1][1],
            shapes[1].dropLast() == shapes[2].dropLast(), shapes[0][2].isMultiple(of: shapes[1][2]),
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "causalAttention: needs q [batch, T, H, D], k [batch, S, G, D] and v [batch, S, G, Dv] of one type, S at least T and H a multiple of G; got \(shapes)"
            )
        }
        guard window ?? 1 >= 1 else {
            throw RondoError(.invalidArgument, "causalAttention: a window of \(window ?? 0) positions; use at least 1")
        }
        let prefix = shapes[1][1] - shapes[0][1]
        guard (0...prefix).contains(validFrom) else {
            throw RondoError(
                .invalidArgument,
                "causalAttention: validFrom is \(validFrom), but must lie in the prefix of \(prefix) keys (0...\(prefix))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// Query by query, each with the keys that it sees: nothing needs a mask.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let (q, k, v) = (inputs[0], inputs[1], inputs[2])
        let (batch, time, heads, groups) = (q.shape[0], q.shape[1], q.shape[2], k.shape[2])
        let prefix = k.shape[1] - time
        // [batch, G, H / G, T, D] times [batch, G, 1, D, S]
        let queries = try q.reshaped([batch, time, groups, heads / groups, q.shape[3]]).permuted([0, 2, 3, 1, 4])
        let keys = try k.permuted([0, 2, 3, 1]).expanded(at: 2)
        let values = try v.permuted([0, 2, 1, 3]).expanded(at: 2)
        guard time > 0 else { return [try Tensor.zeros([batch, 0, heads, v.shape[3]], dtype: q.dtype)] }
        let rows = try (0..<time).map { t in
            let seen = max(validFrom, prefix + t + 1 - (window ?? prefix + t + 1))..<prefix + t + 1
            let scores = try queries.sliced(3, t..<t + 1).matmul(keys.sliced(4, seen)) * scale
            return try Softmax().reference([scores])[0].matmul(values.sliced(3, seen))
        }
        let output = try Tensor.concatenate(rows, axis: 3)
        return [try output.permuted([0, 3, 1, 2, 4]).reshaped([batch, time, heads, v.shape[3]])]
    }
}
