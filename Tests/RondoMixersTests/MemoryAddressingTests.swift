import RondoMixers
import RondoTensor
import RondoTestSupport
import Testing

/// Addresses of the neural Turing machine in closed form.
@Suite struct MemoryAddressingTests {
    private let memory: Tensor
    private let previous: Tensor

    init() throws {
        memory = try Tensor([1.0, 0, 0, 1, -1, 0, 0.6, 0.8], shape: [1, 4, 2])
        previous = try Tensor([0.1, 0.2, 0.3, 0.4], shape: [1, 1, 4])
    }

    private func weights(
        key: [Double] = [1, 0], strength: Double = 1, gate: Double = 0, shift: [Double] = [0, 1, 0],
        sharpening: Double = 1
    ) throws -> [Double] {
        let request = MemoryAddressing.Request(
            key: try Tensor(key, shape: [1, 1, 2]), strength: try Tensor([strength], shape: [1, 1, 1]),
            gate: try Tensor([gate], shape: [1, 1, 1]), shift: try Tensor(shift, shape: [1, 1, 3]),
            sharpening: try Tensor([sharpening], shape: [1, 1, 1]))
        return try MemoryAddressing.weights(request, memory: memory, previous: previous).array(of: Double.self)
    }

    private func near(_ a: [Double], _ b: [Double], _ tolerance: Double = 1e-12) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < tolerance }
    }

    @Test func aClosedGateKeepsTheWeightsBefore() throws {
        #expect(try near(weights(gate: 0), [0.1, 0.2, 0.3, 0.4]))
    }

    @Test func shiftsTurnTheWeights() throws {
        #expect(try near(weights(shift: [0, 0, 1]), [0.4, 0.1, 0.2, 0.3]))
        #expect(try near(weights(shift: [1, 0, 0]), [0.2, 0.3, 0.4, 0.1]))
        #expect(try near(weights(shift: [0.5, 0.5, 0]), [0.15, 0.25, 0.35, 0.25]))
    }

    @Test func sharpeningGoesToTheLargest() throws {
        #expect(try near(weights(sharpening: 2), [1, 4, 9, 16].map { $0 / 30 }))
        #expect(try near(weights(sharpening: 500), [0, 0, 0, 1]))
    }

    @Test func contentFindsTheDirectionWhateverTheLength() throws {
        #expect(try near(weights(key: [0.03, 0.04], strength: 1000, gate: 1), [0, 0, 0, 1]))
        let cosines = try MemoryAddressing.similarity(Tensor([3.0, 4], shape: [1, 1, 2]), memory)
        #expect(try near(cosines.array(of: Double.self), [0.6, 0.8, -0.6, 1]))
    }

    @Test func nothingIsSimilarToAnEmptySlot() throws {
        let cosines = try MemoryAddressing.similarity(
            Tensor([3.0, 4], shape: [1, 1, 2]), Tensor.zeros([1, 3, 2], dtype: .float64))
        #expect(try near(cosines.array(of: Double.self), [0, 0, 0]))
    }

    @Test func aSharpHeadOverwritesOneSlot() throws {
        let written = try MemoryAddressing.written(
            memory, weights: Tensor([0.0, 1, 0, 0], shape: [1, 1, 4]), erase: Tensor([1.0, 1], shape: [1, 1, 2]),
            add: Tensor([5.0, 6], shape: [1, 1, 2]))
        #expect(try written.array(of: Double.self) == [1, 0, 5, 6, -1, 0, 0.6, 0.8])
    }
}
