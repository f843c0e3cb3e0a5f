/// Maps x to max(min(upper, x), lower), which compose to maps of the same kind: the scan behind ``MinMaxRecurrence``.
///
/// Only numbers are copied, so any order of composing gives the same bits (Ronca, 2026). Derivatives flow as those of
/// minimum and maximum do, shared among equals; the fused recurrence gives them to one source.
public struct ClampMaps: Sendable {
    /// What x is lowered to.
    public var upper: Tensor
    /// What it is then raised to.
    public var lower: Tensor

    /// Creates maps from bounds of one shape.
    public init(upper: Tensor, lower: Tensor) {
        self.upper = upper
        self.lower = lower
    }

    /// Maps that change nothing.
    public static func identity(_ shape: Shape, dtype: DType) throws -> ClampMaps {
        ClampMaps(
            upper: try Tensor.full(shape, .infinity, dtype: dtype),
            lower: try Tensor.full(shape, -.infinity, dtype: dtype))
    }

    /// The values of x.
    public func callAsFunction(_ x: Tensor) throws -> Tensor { try upper.minimum(x).maximum(lower) }

    /// These maps after others.
    public func composed(after first: ClampMaps) throws -> ClampMaps {
        ClampMaps(
            upper: try upper.minimum(first.upper), lower: try upper.minimum(first.lower).maximum(lower))
    }

    /// For each position of `[batch, time, ...]` the maps up to it as one, in about log₂ time sweeps that are parallel
    /// over everything (Hillis and Steele).
    ///
    /// - Throws: `RondoError` when shapes do not fit.
    public func prefixes() throws -> ClampMaps {
        let (shape, time) = (upper.shape, upper.shape[1])
        var (result, stride) = (self, 1)
        while stride < time {
            var head = shape
            head[1] = stride
            let idle = try ClampMaps.identity(head, dtype: upper.dtype)
            let before = ClampMaps(
                upper: try Tensor.concatenate([idle.upper, result.upper.sliced(1, 0..<time - stride)], axis: 1),
                lower: try Tensor.concatenate([idle.lower, result.lower.sliced(1, 0..<time - stride)], axis: 1))
            result = try result.composed(after: before)
            stride *= 2
        }
        return result
    }
}
