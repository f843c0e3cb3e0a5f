public import RondoTensor

/// Zeroes parts of its input with a probability while training, and scales the rest by 1 / (1 - p).
public struct Dropout: Sendable, Hashable {
    /// The probability of zero, from 0 to below 1.
    public var probability: Double
    /// The axes along which one draw serves all positions: `[1]` of `[batch, time, size]` locks the mask over time
    /// (variational dropout, Gal and Ghahramani, 2016); none is standard dropout.
    public var sharedAxes: [Int]

    /// Creates a dropout.
    /// - Throws: ``RondoError`` when the probability makes no sense.
    public init(_ probability: Double, sharedAxes: [Int] = []) throws {
        guard (0..<1).contains(probability) else {
            throw RondoError(.invalidArgument, "dropout: probability \(probability) lies outside 0..<1")
        }
        self.probability = probability
        self.sharedAxes = sharedAxes
    }

    /// Applies it when training; otherwise returns the input and draws nothing.
    public func callAsFunction(_ x: Tensor, training: Bool, using generator: inout Generator) throws -> Tensor {
        guard training, probability > 0 else { return x }
        guard !sharedAxes.isEmpty else {
            return try DropoutOperation(probability: probability, count: x.count, using: &generator)([x])[0]
        }
        var shape = x.shape
        for axis in sharedAxes {
            guard shape.indices.contains(axis) else {
                throw RondoError(.outOfRange, "dropout: shared axis \(axis) does not exist in shape \(x.shape)")
            }
            shape[axis] = 1
        }
        return try x * Self.mask(shape, probability, x.dtype, using: &generator)
    }

    /// Zeros with the probability, 1 / (1 - p) elsewhere.
    public static func mask(
        _ shape: Shape, _ probability: Double, _ dtype: DType, using generator: inout Generator
    ) throws -> Tensor {
        let ones = try Tensor.ones(shape, dtype: dtype)
        return try DropoutOperation(probability: probability, count: ones.count, using: &generator)([ones])[0]
    }
}
