import Foundation
import RondoIO
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// torch's layers: two layers, both directions, rows of different lengths, outputs, final states, all derivatives.
///
/// Tests/Parity/recurrent/make_vectors.py makes the file.
@Suite struct RecurrentParityTests {
    init() { poisonFreshMemory() }

    @Test(arguments: [RecurrentCell.lstm, .gru, .elmanTanh, .elmanReLU], [DType.float64, .float32])
    func layersEqualTorch(_ cell: RecurrentCell, _ dtype: DType) throws {
        let vectors = try TorchVectors(cell, dtype)
        let x = try vectors["x"]
        let (inputs, hidden) = (x.shape[2], try vectors["parameter/layers.0.recurrent"].shape[3])
        var generator = Generator(seed: 0)
        let random = try RecurrentStack(
            RecurrentConfiguration(
                cell: cell, inputSize: inputs, hiddenSize: hidden, layers: 2, bidirectional: true),
            dtype: dtype, using: &generator)
        let paths = random.parameters.paths
        let initial = try random.initialState(batch: x.shape[0])
        let names = initial.named.paths
        let operands =
            try paths.map { try vectors["parameter/\($0)"] } + names.map { try vectors["state/\($0)"] } + [x]
        let (outputs, pullback) = try valuesAndPullback(of: operands) { tracked in
            let stack = random.replacingParameters(Array(tracked.prefix(paths.count)))
            let state = try initial.replacingTensors(Array(tracked.dropFirst(paths.count).dropLast()))
            let result = try stack(tracked[tracked.count - 1], state: state, lengths: [5, 2, 4])
            return [result.output] + result.state.named.tensors
        }
        let tolerance = Tolerance(dtype, length: 30, depth: 20)
        for (name, output) in zip(["output"] + names.map { "final/\($0)" }, outputs) {
            #expect(try tolerance.mismatch(output, vectors[name]) == nil, "\(name)")
        }
        let weights = try [vectors["output.weight"]] + names.map { try vectors["final.weight/\($0)"] }
        let expected = paths.map { "gradient/\($0)" } + names.map { "state.gradient/\($0)" } + ["x.gradient"]
        for (name, gradient) in zip(expected, try pullback(weights)) {
            #expect(try tolerance.mismatch(gradient, vectors[name]) == nil, "\(name)")
        }
    }
}

/// The tensors of one cell.
private struct TorchVectors {
    let file: SafetensorsFile
    let cell: RecurrentCell
    let dtype: DType

    init(_ cell: RecurrentCell, _ dtype: DType) throws {
        let url = try #require(
            Bundle.module.url(forResource: "recurrent", withExtension: "safetensors", subdirectory: "Vectors"))
        (file, self.cell, self.dtype) = (try SafetensorsFile(url.path), cell, dtype)
    }

    subscript(name: String) -> Tensor {
        get throws {
            let entry = try file.entry("\(cell.rawValue)/\(name)")
            let values = try file.withUnsafeBytes(of: entry.name) { bytes in
                stride(from: 0, to: bytes.count, by: 8).map { bytes.loadUnaligned(fromByteOffset: $0, as: Double.self) }
            }
            return try Tensor(values, shape: Shape(entry.shape)).cast(to: dtype)
        }
    }
}
