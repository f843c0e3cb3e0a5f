public import RondoTensor

/// Compares derivatives with central differences in float64.
///
/// All outputs are projected onto one number by fixed random weights, so that a wrong element shows wherever it is.
public enum GradientCheck {
    /// Says how the derivatives of `body` at `inputs` miss the differences, or `nil` if they do not.
    ///
    /// - Parameters:
    ///   - inputs: float64 tensors; int32 ones are passed through.
    ///   - step: the distance of the differences; their error falls with its fourth power.
    ///   - body: what is differentiated. It must be smooth within two steps of the inputs.
    /// - Returns: a description of the first mismatch.
    /// - Throws: what `body` throws.
    public static func mismatch(
        _ inputs: [Tensor], step: Double = 1e-3, _ body: ([Tensor]) throws -> [Tensor]
    ) throws -> String? {
        let (_, gradients) = try valueAndGradient(of: inputs) { try project(body($0)) }
        for (position, input) in inputs.enumerated() where input.dtype == .float64 {
            let gradient = gradients[position]
            guard gradient.shape == input.shape else {
                return "input \(position): derivative of shape \(gradient.shape), input \(input.shape)"
            }
            let found = try gradient.array(of: Double.self)
            let differences = try centralDifferences(inputs, position, step, body)
            let scale = differences.reduce(1) { max($0, abs($1)) }
            for (index, (a, b)) in zip(found, differences).enumerated() where !(abs(a - b) <= 1e-8 * scale) {
                return "input \(position) (\(input.shape)), element \(index): derivative \(a), differences \(b)"
            }
        }
        return nil
    }

    private static func centralDifferences(
        _ inputs: [Tensor], _ position: Int, _ step: Double, _ body: ([Tensor]) throws -> [Tensor]
    ) throws -> [Double] {
        let values = try inputs[position].array(of: Double.self)
        return try values.indices.map { index in
            func value(_ shift: Double) throws -> Double {
                var moved = values
                moved[index] += shift
                var all = inputs
                all[position] = try Tensor(moved, shape: inputs[position].shape)
                return try project(body(all)).scalar()
            }
            return try (8 * (value(step) - value(-step)) - (value(2 * step) - value(-2 * step))) / (12 * step)
        }
    }

    private static func project(_ outputs: [Tensor]) throws -> Tensor {
        var generator = Generator(seed: 2718)
        var total = try Tensor(0, dtype: .float64)
        for output in outputs where output.dtype.isDifferentiable {
            total = try total + (output * generator.normal(output.shape, dtype: .float64)).sum()
        }
        return total
    }
}

extension Generator {
    /// Draws whose magnitudes lie in `low..<high`, of both signs: away from kinks and poles at zero.
    public mutating func away(
        _ shape: Shape, low: Double = 0.3, high: Double = 1.5, dtype: DType = .float64
    ) throws -> Tensor {
        let sign = try uniform(shape, low: -1, high: 1, dtype: dtype).unary(.sign)
        return try uniform(shape, low: low, high: high, dtype: dtype) * sign
    }
}
