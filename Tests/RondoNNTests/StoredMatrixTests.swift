import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Layers whose matrices are stored in smaller types.
@Suite struct StoredMatrixTests {
    private struct Pair: Module {
        var table: Embedding
        var layers: [Linear]
        var convolution: ShortConvolution

        init() throws {
            var generator = Generator(seed: 1)
            table = try Embedding(count: 7, size: 40, using: &generator)
            layers = try (0..<2).map { _ in try Linear(inputSize: 40, outputSize: 40, using: &generator) }
            convolution = try ShortConvolution(channels: 40, width: 3, using: &generator)
        }

        mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
            try table.forEachParameter(under: "table", visit)
            try layers.forEachParameter(under: "layers", visit)
            try convolution.forEachParameter(under: "convolution", visit)
        }

        func logits(_ tokens: Tensor) throws -> Tensor {
            try table.logits(layers.reduce(table(tokens)) { try $1($0).tanh() })
        }
    }

    private static let smaller = DType.weightTypes.filter { !$0.isDifferentiable }

    @Test func matricesAreFound() throws {
        let model = try Pair()
        #expect(model.matrixPaths == ["table.weight", "layers.0.weight", "layers.1.weight"])
        var generator = Generator(seed: 1)
        let stack = try RecurrentStack(
            RecurrentConfiguration(cell: .gru, inputSize: 3, hiddenSize: 4, layers: 2), using: &generator)
        #expect(stack.matrixPaths.count == 2 && stack.matrixPaths.allSatisfy { stack.parameters[$0] != nil })
    }

    @Test(arguments: smaller) func modelsEqualThoseOfTheSameRoundedMatrices(_ dtype: DType) throws {
        let stored = try Pair().castingMatrices(to: dtype)
        for (path, tensor) in zip(stored.parameters.paths, stored.parameters.tensors) {
            #expect(tensor.dtype == (stored.matrixPaths.contains(path) ? dtype : .float32))
        }
        let plain = try stored.cast(to: .float32)
        let tokens = try Tensor([0, 6, 3, 3, 1, 2] as [Int32], shape: [2, 3])
        let (found, expected) = (try stored.logits(tokens), try plain.logits(tokens))
        #expect(try Tolerance(.float32, length: 40, depth: 8).mismatch(found, expected) == nil)
        #expect(try stored.table(tokens).dtype == .float32)
    }

    @Test(arguments: smaller) func trainingIsRefused(_ dtype: DType) throws {
        let stored = try Pair().castingMatrices(to: dtype)
        let error = try rondoError {
            _ = try stored.valueAndGradients { try $0.logits(Tensor([0] as [Int32], shape: [1, 1])).sum() }
        }
        #expect(error.code == .dtypeMismatch)
        for part in ["train", "table.weight", "2 others", dtype.rawValue, "float32"] {
            #expect(error.message.contains(part), "\(error)")
        }
    }
}
