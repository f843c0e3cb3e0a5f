import RondoTensor
import RondoTestSupport
import Testing

extension GradientTests {
    @Test func views() throws {
        let inputs = try Self.draws([2, 3, 4])
        let bodies: [(Tensor) throws -> Tensor] = [
            { try $0.reshaped([6, -1]) }, { try $0.permuted([2, 0, 1]) }, { try $0.transposed().reshaped([8, 3]) },
            { try $0.expanded(at: 1).broadcast(to: [2, 5, 3, 4]) }, { try $0.sliced(2, 1..<4, step: 2) },
            { try $0.sliced(1, 2..<2) }, { try $0.selecting(1, -1) }, { try $0.sliced(0, 1..<2).squeezed(0) },
            { try $0.padded(1, before: 2, after: 1) }, { try $0.transposed().contiguous() },
        ]
        for (index, body) in bodies.enumerated() {
            #expect(try GradientCheck.mismatch(inputs) { [try body($0[0])] } == nil, "view \(index)")
        }
        #expect(try GradientCheck.mismatch(inputs) { Array(try $0[0].split(2, axis: -1).reversed()) } == nil)
    }

    @Test func concatenation() throws {
        let inputs = try Self.draws([2, 3], [2, 1], [2, 0])
        #expect(try GradientCheck.mismatch(inputs) { [try Tensor.concatenate($0, axis: 1)] } == nil)
        #expect(try GradientCheck.mismatch(inputs) { [try Tensor.concatenate([$0[0], $0[0].square()])] } == nil)
        #expect(try GradientCheck.mismatch(inputs) { [try Tensor.stack([$0[0], $0[0]], axis: -1)] } == nil)
    }

    @Test func matrixProducts() throws {
        let pairs: [(Shape, Shape)] = [
            ([1, 1], [1, 1]), ([3, 5], [5, 2]), ([33, 4], [4, 3]), ([2, 3, 5], [5, 4]), ([2, 3, 5], [2, 5, 4]),
            ([3, 1, 2, 5], [4, 5, 3]), ([3, 5], [2, 5, 4]), ([2, 1, 3], [1, 3, 2]), ([0, 3], [3, 2]),
            ([2, 0], [0, 3]),
            ([2, 0, 3], [3, 2]),
        ]
        for (left, right) in pairs {
            let inputs = try Self.draws(left, right)
            #expect(try GradientCheck.mismatch(inputs) { [try $0[0].matmul($0[1])] } == nil, "\(left) x \(right)")
            // The same product from transposed views of both operands.
            let turned = [try inputs[0].transposed().contiguous(), try inputs[1].transposed().contiguous()]
            #expect(
                try GradientCheck.mismatch(turned) { [try $0[0].transposed().matmul($0[1].transposed())] } == nil,
                "\(left) x \(right), transposed")
        }
    }

    @Test func weightGradientsComeOutDense() throws {
        var generator = Generator(seed: 3)
        let inputs = [try generator.normal([2, 7, 5]), try generator.normal([3, 5])]
        let (_, gradients) = try valueAndGradient(of: inputs) { try $0[0].matmul($0[1].transposed()).square().sum() }
        #expect(gradients[1].isContiguous)
    }

    @Test func gatherAndScatter() throws {
        let table = try Self.draws([4, 3])
        let rows = try Tensor([3, 0, 3, 3, 1] as [Int32], shape: [5])
        let grid = try Tensor([0, 0, 2, 3, 1, 1] as [Int32], shape: [2, 3])
        let none = try Tensor([] as [Int32], shape: [0])
        #expect(try GradientCheck.mismatch(table) { [try $0[0].takingRows(rows), try $0[0].takingRows(none)] } == nil)
        #expect(try GradientCheck.mismatch(table) { [try $0[0].takingRows(grid)] } == nil)
        #expect(try GradientCheck.mismatch(table) { [try $0[0].takingAlong(grid, axis: 0)] } == nil)
        let along = try Tensor([2, 2, 0, 1, 0, 0, 1, 1] as [Int32], shape: [4, 2])
        #expect(try GradientCheck.mismatch(table) { [try $0[0].takingAlong(along, axis: 1)] } == nil)
        let values = try Self.draws([5, 2])
        #expect(try GradientCheck.mismatch(values) { [try $0[0].scatterAddingRows(rows, rows: 4)] } == nil)
        let targets = try Tensor([4, 4, 0, 1, 1, 1, 2, 0, 4, 4] as [Int32], shape: [5, 2])
        #expect(
            try GradientCheck.mismatch(values) {
                [
                    try $0[0].scatterAddingAlong(targets, axis: 1, extent: 6),
                    try $0[0].scatterAddingAlong(targets, axis: 0, extent: 5),
                ]
            } == nil)
        let sorted = try Self.draws([3, 5])
        #expect(try GradientCheck.mismatch(sorted) { [try $0[0].sorted().values, try $0[0].topK(2).values] } == nil)
    }

    @Test func checkpointingGivesTheSameBits() throws {
        var generator = Generator(seed: 4)
        let inputs = [try generator.normal([33, 5]), try generator.normal([5, 5])]
        let masks = generator
        let block: ([Tensor]) throws -> [Tensor] = { inputs in
            var generator = masks
            let hidden = try inputs[0].matmul(inputs[1]).tanh()
            let dropped = try DropoutOperation(probability: 0.3, count: hidden.count, using: &generator)([hidden])[0]
            return [try dropped.matmul(inputs[1]).softmax(), hidden]
        }
        func loss(_ outputs: [Tensor]) throws -> Tensor { try (outputs[0].square() + outputs[1]).sum() }
        let plain = try valueAndGradient(of: inputs) { try loss(block([$0[0], $0[1]])) }
        let saving = try valueAndGradient(of: inputs) { try loss(checkpoint([$0[0], $0[1]], block)) }
        #expect(try sameBits(plain.value, saving.value))
        for (a, b) in zip(plain.gradients, saving.gradients) { #expect(try sameBits(a, b)) }
    }

    @Test func longRecordsNeitherOverflowTheStackNorStay() throws {
        let x = try Tensor([1.0])
        let (value, gradients) = try valueAndGradient(of: [x]) { inputs in
            var y = inputs[0]
            for _ in 0..<50_000 { y = try y + 1e-3 }
            return try y.sum()
        }
        #expect(abs(try value.scalar() - 51) < 1e-6)
        #expect(try gradients[0].scalar() == 1)
        // A record that no backward pass takes apart must go away as gently.
        _ = try valuesAndPullback(of: [x]) { inputs in
            var y = inputs[0]
            for _ in 0..<50_000 { y = try y.unary(.sin) }
            return [y]
        }
    }
}
