import RondoTensor
import Testing

/// Errors name the operation, what it got, and the remedy.
@Suite struct ErrorMessageTests {
    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test func elementwise() throws {
        let (a, b) = (try Tensor.zeros([2, 3]), try Tensor.zeros([4]))
        let text = message { _ = try a + b }
        for part in ["add", "[2, 3]", "[4]", "make them equal"] { #expect(text.contains(part), "\(text)") }
        let types = message { _ = try a * a.cast(to: .float64) }
        for part in ["multiply", "float32", "float64", "cast"] { #expect(types.contains(part), "\(types)") }
        let stored = message { _ = try a.cast(to: .bfloat16).exp() }
        for part in ["exp", "bfloat16", "cast"] { #expect(stored.contains(part), "\(stored)") }
    }

    @Test func matrices() throws {
        let (a, b) = (try Tensor.zeros([2, 3]), try Tensor.zeros([2, 3]))
        let text = message { _ = try a.matmul(b) }
        for part in ["matmul", "[2, 3] and [2, 3]", "transposed()"] { #expect(text.contains(part), "\(text)") }
        let flat = message { _ = try a.matmul(Tensor.zeros([3])) }
        for part in ["matmul", "[3]", "expanded(at:)"] { #expect(flat.contains(part), "\(flat)") }
    }

    @Test func axesAndIndices() throws {
        let a = try Tensor.zeros([2, 3])
        let axis = message { _ = try a.sum([2]) }
        for part in ["sum", "axis 2", "[2, 3]", "-2..<2"] { #expect(axis.contains(part), "\(axis)") }
        let index = message { _ = try a.takingRows(Tensor([5] as [Int32])) }
        for part in ["takingRows", "5", "0..<2"] { #expect(index.contains(part), "\(index)") }
        let shape = message { _ = try a.reshaped([4, 2]) }
        for part in ["reshaped", "[2, 3]", "[4, 2]"] { #expect(shape.contains(part), "\(shape)") }
        let joined = message { _ = try Tensor.concatenate([a, Tensor.zeros([2, 4])]) }
        for part in ["concatenate", "[2, 3] and [2, 4]", "axis 0"] { #expect(joined.contains(part), "\(joined)") }
    }

    @Test func losses() throws {
        let logits = try Tensor.zeros([2, 3])
        let shapes = message { _ = try CrossEntropy()([logits, Tensor([0] as [Int32])]) }
        for part in ["crossEntropy", "[2, 3]", "[1]"] { #expect(shapes.contains(part), "\(shapes)") }
        let range = message { _ = try CrossEntropy()([logits, Tensor([0, 3] as [Int32])]) }
        for part in ["crossEntropy", "target 3", "0..<3", "-100"] { #expect(range.contains(part), "\(range)") }
        let scalar = message { _ = try valueAndGradient(of: [logits]) { $0[0] } }
        for part in ["valueAndGradient", "[2, 3]", "mean()"] { #expect(scalar.contains(part), "\(scalar)") }
    }
}
