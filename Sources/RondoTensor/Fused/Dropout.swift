internal import CRondoKernels

/// Zeroes each element with a probability and scales the others by 1 / (1 - p), so that the mean stays.
///
/// The mask is a function of (seed, stream, position): it is made again in the backward pass, never kept.
public struct DropoutOperation: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "dropout"
    /// The probability of zero.
    public let probability: Double
    private let seed: UInt64
    private let stream: UInt64
    private let position: UInt64

    /// Draws the mask for `count` elements from `generator`.
    public init(probability: Double, count: Int, using generator: inout Generator) throws {
        guard (0..<1).contains(probability) else {
            throw RondoError(.invalidArgument, "dropout: probability \(probability) lies outside 0..<1")
        }
        self.probability = probability
        (seed, stream) = (generator.seed, generator.stream)
        position = generator.reserve(count)
    }

    /// Refuses anything but one floating-point tensor.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 1 else { throw RondoError(.shapeMismatch, "dropout: needs one tensor") }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// The input times the mask, made on its own.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let mask = try apply(to: Tensor.ones(inputs[0].shape, dtype: inputs[0].dtype))
        return [try inputs[0] * mask]
    }

    /// Mask and product in one pass.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        FusedResult(outputs: [try apply(to: inputs[0])], retained: [])
    }

    /// The same mask on the cotangent.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        [try cotangents[0].map { try apply(to: $0) }]
    }

    private func apply(to x: Tensor) throws -> Tensor {
        let x = try x.dense()
        let type = try x.dtype.kernelType(Self.name)
        let y = try Tensor.uninitialized(x.shape, x.dtype)
        parallelFor(x.count, grain: CPUBackend.elementwiseGrain) { range in
            let start = range.lowerBound * x.dtype.byteCount
            rk_dropout(
                type, seed, stream, position + UInt64(range.lowerBound), probability, x.bytes + start,
                y.mutableBytes + start, range.count)
        }
        return y
    }
}
