import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Stacks of layers and their states.
@Suite struct RecurrentStackTests {
    init() { poisonFreshMemory() }

    static func stack(
        _ cell: RecurrentCell, layers: Int = 2, heads: Int = 1, bidirectional: Bool = false, zoneout: Double = 0,
        dtype: DType = .float64
    ) throws -> RecurrentStack {
        var generator = Generator(seed: 3)
        let stack = try RecurrentStack(
            RecurrentConfiguration(
                cell: cell, inputSize: 5, hiddenSize: 33, layers: layers, heads: heads, bidirectional: bidirectional,
                dropout: 0.3, recurrentDropout: 0.2, zoneout: zoneout),
            dtype: dtype, using: &generator)
        // Every parameter away from its first value: zeros hide mistakes.
        return try stack.replacingParameters(
            stack.parameters.tensors.map { try $0 + generator.normal($0.shape, deviation: 0.1, dtype: dtype) })
    }

    @Test func paddedRowsEqualRowsOnTheirOwn() throws {
        let lengths = [4, 7, 1, 0]
        for cell in [RecurrentCell.lstm, .gru] {
            let stack = try Self.stack(cell, bidirectional: true)
            var generator = Generator(seed: 4)
            let x = try generator.normal([4, 7, 5], dtype: .float64)
            let padded = try stack(x, state: stack.initialState(batch: 4), lengths: lengths)
            for (row, length) in lengths.enumerated() {
                let own = try x.sliced(0, row..<row + 1).sliced(1, 0..<length)
                let alone = try stack(own, state: stack.initialState(batch: 1))
                let output = try padded.output.sliced(0, row..<row + 1)
                let tolerance = Tolerance(.float64, length: 66, depth: 30)
                #expect(try tolerance.mismatch(output.sliced(1, 0..<length), alone.output) == nil)
                #expect(try output.sliced(1, length..<7).array(of: Double.self).allSatisfy { $0 == 0 })
                for (one, other) in zip(padded.state.named.tensors, alone.state.named.tensors) {
                    #expect(try tolerance.mismatch(one.sliced(0, row..<row + 1), other) == nil)
                }
            }
        }
    }

    @Test(arguments: [RecurrentCell.lstm, .gru, .lstmLayerNorm]) func gradientsReachEveryParameter(
        _ cell: RecurrentCell
    ) throws {
        let stack = try Self.stack(cell, layers: 2, heads: 3, bidirectional: true, zoneout: 0.1)
        var generator = Generator(seed: 4)
        let x = try generator.normal([2, 3, 5], dtype: .float64)
        let (_, gradients) = try stack.valueAndGradients { stack in
            var masks = Generator(seed: 8)
            let result = try stack(x, state: stack.initialState(batch: 2), training: true, using: &masks)
            return try result.output.square().sum() + result.state.named.tensors[1].sum()
        }
        for (path, gradient) in zip(gradients.paths, gradients.tensors) {
            #expect(try gradient.abs().max().scalar() > 1e-6, "\(path)")
        }
    }

    @Test func projectedInputsEqualInputs() throws {
        for bidirectional in [false, true] {
            let stack = try Self.stack(.gru, bidirectional: bidirectional)
            var generator = Generator(seed: 4)
            let x = try generator.normal([2, 3, 5], dtype: .float64)
            let state = try stack.initialState(batch: 2)
            let projected = try stack(
                projected: stack.projectingInput(x), state: state, training: false, using: &generator)
            #expect(
                try Tolerance(.float64, length: 33, depth: 8).mismatch(projected.output, stack(x, state: state).output)
                    == nil)
        }
    }

    @Test func impossibleConfigurationsAreRefused() throws {
        for change: (inout RecurrentConfiguration) -> Void in [
            { $0.heads = 4 }, { $0.layers = 0 }, { $0.hiddenSize = -1 }, { $0.zoneout = 1 }, { $0.dropout = -0.1 },
        ] {
            var configuration = RecurrentConfiguration(inputSize: 5, hiddenSize: 33)
            change(&configuration)
            #expect(try rondoError { try configuration.validate() }.code == .invalidArgument)
        }
    }
}
