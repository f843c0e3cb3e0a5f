import Foundation
import RondoIO
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct LeakyRecurrentLayerTests {
    private func layer(
        units: Int = 5, inputs: Int = 2, dtype: DType = .float64,
        _ change: (inout LeakyRecurrentLayer.Configuration) -> Void = { _ in }
    ) throws -> LeakyRecurrentLayer {
        var configuration = LeakyRecurrentLayer.Configuration(inputSize: inputs, hiddenSize: units)
        change(&configuration)
        var generator = Generator(seed: 4)
        return try LeakyRecurrentLayer(configuration, dtype: dtype, using: &generator)
    }

    /// The script Tests/Parity/mixers/classic/leaky_rnn.py makes the file; one of its time constants is below 1.
    @Test func derivativesAreThoseOfTorch() throws {
        let url = try #require(
            Bundle.module.url(forResource: "leaky_gradients", withExtension: "safetensors", subdirectory: "Vectors"))
        let file = try SafetensorsFile(url.path)
        func tensor(_ name: String) throws -> Tensor {
            let values = try file.withUnsafeBytes(of: name) { bytes in
                stride(from: 0, to: bytes.count, by: 8).map { bytes.loadUnaligned(fromByteOffset: $0, as: Double.self) }
            }
            return try Tensor(values, shape: Shape(file.entry(name).shape))
        }
        var layer = try layer()
        try layer.forEachParameter { path, parameter in parameter = try tensor("parameter.\(path)") }
        let (x, start) = (try tensor("x").transposed(0, 1), try tensor("start"))
        let (value, gradients) = try layer.valueAndGradients {
            try ($0(x, state: start).output * tensor("cotangent").transposed(0, 1)).sum()
        }
        let expected = try (tensor("y") * tensor("cotangent")).sum().scalar()
        #expect(abs(try value.scalar() - expected) < 1e-12)
        for (path, gradient) in zip(gradients.paths, gradients.tensors) {
            let difference = try (gradient - tensor("gradient.\(path)")).abs().max().scalar()
            #expect(difference < 1e-12, "\(path)")
        }
        #expect(try gradients["time_constant"]?.array(of: Double.self)[0] == 0, "no derivative below 1")
    }

    @Test func theMatrixHasNoDiagonal() throws {
        let matrix = try layer(units: 4).recurrentMatrix
        let rows = try layer(units: 4).recurrent.array(of: Double.self)
        let values = try matrix.array(of: Double.self)
        for row in 0..<4 {
            #expect(values[row * 4 + row] == 0)
            let others = (0..<4).filter { $0 != row }.map { values[row * 4 + $0] }
            #expect(others == Array(rows[row * 3..<row * 3 + 3]))
        }
        #expect(try layer(units: 4) { $0.zeroDiagonal = false }.recurrentMatrix.shape == [4, 4])
        #expect(try layer(units: 1).recurrentMatrix.array(of: Double.self) == [0])
    }

    @Test func timeConstantsAreAtLeastOne() throws {
        var learned = try layer()
        learned.timeConstant = try Tensor([0.2, 1, 1.5, 3, -4])
        #expect(try learned.timeConstants.array(of: Double.self) == [1, 1, 1.5, 3, 1])
        let fixed = try layer { $0.fixedTimeConstant = 2.5 }
        #expect(fixed.timeConstant == nil && fixed.parameters.paths.count == 4)
        #expect(try fixed.timeConstants.array(of: Double.self) == Array(repeating: 2.5, count: 5))
    }

    @Test(arguments: LeakyRecurrentLayer.Leak.allCases) func aStepResponseIsThatOfALeakyIntegrator(
        _ leak: LeakyRecurrentLayer.Leak
    ) throws {
        var layer = try layer(units: 2, inputs: 1) {
            $0.activationSlope = 1
            $0.leak = leak
        }
        try layer.forEachParameter { _, parameter in parameter = try Tensor.zeros(parameter.shape, dtype: .float64) }
        layer.weight = try Tensor.ones([2, 1], dtype: .float64)
        layer.timeConstant = try Tensor([1.5, 10.0])
        let output = try layer(Tensor.ones([20, 1, 1], dtype: .float64), state: Tensor.zeros([1, 2], dtype: .float64))
        let values = try output.output.array(of: Double.self)
        var rest = [1.0, 1.0]
        for t in 0..<20 {
            for (unit, constant) in [1.5, 10].enumerated() {
                rest[unit] *= 1 - 1 / constant
                #expect(abs(values[2 * t + unit] - (1 - rest[unit])) < 1e-12)
            }
        }
    }

    @Test func impossibleShapesAreRefused() throws {
        let changes: [(inout LeakyRecurrentLayer.Configuration) -> Void] = [
            { $0.fixedTimeConstant = 0.5 }, { $0.activationSlope = -1 }, { $0.hiddenSize = 0 },
        ]
        for change in changes {
            let error = try rondoError { _ = try layer { change(&$0) } }
            #expect(error.code == .invalidArgument)
        }
    }
}
