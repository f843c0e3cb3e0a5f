import RondoNN
import RondoTensor

/// Affine maps with ReLUs between them: the plain deep network of experiments on optimisation.
struct DeepPerceptron: Module {
    /// How weights begin; offsets are zeros.
    enum Weights {
        /// All zeros: nothing but the last offset has a gradient.
        case zero
        /// As suits ReLUs (He et al., 2015).
        case he
    }

    var layers: [Linear]

    /// Creates a network through the widths given, from the input's to the output's.
    init(_ widths: [Int], weights: Weights, using generator: inout Generator) throws {
        layers = []
        for (inputs, outputs) in zip(widths, widths.dropFirst()) {
            var layer = try Linear(inputSize: inputs, outputSize: outputs, using: &generator)
            layer.bias = try Tensor.zeros([outputs])
            switch weights {
            case .zero: layer.weight = try Tensor.zeros([outputs, inputs])
            case .he: layer.weight = try Initializer.kaimingNormal()([outputs, inputs], using: &generator)
            }
            layers.append(layer)
        }
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor {
        var x = x
        for (index, layer) in layers.enumerated() { x = try index == 0 ? layer(x) : layer(x.relu()) }
        return x
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try layers.forEachParameter(under: "layers", visit)
    }
}
