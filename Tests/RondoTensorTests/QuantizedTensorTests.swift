import RondoTensor
import RondoTestSupport
import Testing

/// Tensors of types that are stored in blocks, and tensors over borrowed memory.
@Suite struct QuantizedTensorTests {
    private static let quantized = DType.allCases.filter(\.isQuantized)

    init() { poisonFreshMemory() }

    private func draw(_ shape: Int...) throws -> Tensor {
        var generator = Generator(seed: 3)
        return try generator.normal(Shape(shape))
    }

    @Test(arguments: quantized) func sizesCountWholeBlocks(_ dtype: DType) throws {
        for (columns, blocks) in [(1, 1), (128, 1), (129, 2), (0, 0)] {
            let x = try draw(3, columns).cast(to: dtype)
            #expect(x.shape == [3, columns] && x.isContiguous)
            #expect(x.byteCount == 3 * blocks * dtype.byteCount)
            #expect(try x.withUnsafeBytes { $0.count } == x.byteCount)
        }
    }

    @Test(arguments: quantized) func rowsMoveAsTheyAre(_ dtype: DType) throws {
        let x = try draw(4, 5, 100).cast(to: dtype)
        let plain = try x.cast(to: .float32)
        let part = try x.sliced(0, 1..<3)
        #expect(try sameBits(part.cast(to: .float32), plain.sliced(0, 1..<3)))
        #expect(try sameBits(part.copied().cast(to: .float32), plain.sliced(0, 1..<3)))
        #expect(try sameBits(x.selecting(0, 2).cast(to: .float32), plain.selecting(0, 2)))
        #expect(try sameBits(x.reshaped([20, 100]).cast(to: .float32), plain.reshaped([20, 100])))
        let indices = try Tensor([3, 0, 3] as [Int32])
        #expect(try sameBits(x.takingRows(indices).cast(to: .float32), plain.takingRows(indices)))
        #expect(try sameBits(x.cast(to: .float64).cast(to: .float32), plain))
    }

    @Test(arguments: quantized) func quantisingAgainChangesLittle(_ dtype: DType) throws {
        let once = try draw(3, 200).cast(to: dtype).cast(to: .float32)
        let error = try (once.cast(to: dtype).cast(to: .float32) - once).square().sum().scalar()
        let size = try once.square().sum().scalar()
        #expect(error <= 1e-5 * size)
    }

    @Test(arguments: quantized) func elementsAreRefused(_ dtype: DType) throws {
        let x = try draw(4, 64).cast(to: dtype)
        let operations: [(String, () throws -> Void)] = [
            ("exp", { _ = try x.exp() }), ("add", { _ = try x + x }), ("matmul", { _ = try x.matmul(x) }),
            ("permute", { _ = try x.transposed() }), ("slice", { _ = try x.sliced(1, 0..<32) }),
            ("slice", { _ = try x.sliced(0, 0..<4, step: 2) }), ("reshape", { _ = try x.reshaped([2, 128]) }),
            ("sum", { _ = try x.sum() }), ("concatenate", { _ = try Tensor.concatenate([x, x]) }),
            ("broadcast", { _ = try x.broadcast(to: [2, 4, 64]) }), ("softmax", { _ = try x.softmax() }),
            ("linear", { _ = try x.linear(x) }),
        ]
        for (name, operation) in operations {
            let error = try rondoError(operation)
            #expect(error.code == .dtypeMismatch && error.message.contains(name), "\(error)")
            #expect(error.message.contains(dtype.rawValue) && error.message.contains("cast"), "\(error)")
        }
        #expect(throws: RondoError.self) { try Tensor(1).cast(to: dtype) }
    }

    @Test(arguments: DType.weightTypes) func productsEqualThoseOfTheExpandedWeights(_ dtype: DType) throws {
        let type = dtype.computationType
        for (outputs, inputs) in [(5, 33), (64, 256), (300, 1000), (3, 0)] {
            let weight = try draw(outputs, inputs).cast(to: dtype)
            let plain = try weight.cast(to: type)
            let bias = try draw(outputs).cast(to: type)
            for rows in Array(0...9) + [16, 17, 48, 49] {
                let x = try draw(2, rows, inputs).cast(to: type).selecting(0, 1)
                let found = try x.linear(weight, bias: bias)
                let expected = try x.matmul(plain.transposed()) + bias
                #expect(try Tolerance(type, length: inputs, depth: 4).mismatch(found, expected) == nil)
                if rows == 3 {
                    for row in 0..<3 {
                        let one = try x.sliced(0, row..<row + 1).linear(weight, bias: bias)
                        #expect(try sameBits(one, found.sliced(0, row..<row + 1)))
                    }
                    var product = try RowProduct(weight: weight, bias: bias, rows: 3)
                    try product(x)
                    #expect(try sameBits(product.output, found))
                }
            }
        }
    }

    @Test func threadsDoNotChangeBits() async {
        await #expect(processExitsWith: .success) {
            var generator = Generator(seed: 4)
            let weight = try generator.normal([1001, 700])
            let inputs = try [1, 7, 17, 50].map { try generator.normal([$0, 700]) }
            func everything() throws -> [Tensor] {
                try DType.weightTypes.filter { $0 != .float64 }.flatMap { dtype in
                    let stored = try weight.cast(to: dtype)
                    return try inputs.map { try $0.linear(stored) } + [stored.cast(to: .float32)]
                }
            }
            Runtime.threadCount = 1
            let expected = try everything()
            for threads in [2, 4] {
                Runtime.threadCount = threads
                for (one, many) in zip(expected, try everything()) { #expect(try sameBits(one, many)) }
            }
        }
    }

    @Test func derivativesFlowThroughStoredWeightsButNotToThem() throws {
        let (x, weight) = (try draw(3, 50), try draw(4, 50).cast(to: .quantized4))
        let (_, gradients) = try valueAndGradient(of: [x, weight]) { try $0[0].linear($0[1]).square().sum() }
        let plain = try weight.cast(to: .float32)
        let expected = try valueAndGradient(of: [x]) { try $0[0].linear(plain).square().sum() }.gradients[0]
        #expect(try sameBits(gradients[0], expected))
        #expect(try gradients[1].abs().sum().scalar() == 0)
    }

    /// Memory that stays where it is as long as its owner lives.
    private final class Block: @unchecked Sendable {
        let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 6)
        let onFree: @Sendable () -> Void
        init(_ onFree: @escaping @Sendable () -> Void) {
            self.onFree = onFree
            _ = memory.initialize(from: [1, 2, 3, 4, 5, 6])
        }
        deinit {
            memory.deallocate()
            onFree()
        }
    }

    @Test func borrowedMemoryIsSharedAndNeverWritten() async throws {
        try await confirmation { freed in
            var block: Block? = Block { freed() }
            let memory = try #require(block).memory
            var x = try Tensor(
                borrowing: UnsafeRawBufferPointer(memory), owner: try #require(block), shape: [2, 3], dtype: .float32)
            block = nil
            memory[5] = 7
            #expect(try x.array(of: Float.self) == [1, 2, 3, 4, 5, 7])
            // A view keeps the memory alive, and changing it copies first.
            x = try x.sliced(0, 1..<2)
            try x.accumulate(Tensor.ones([1, 3]))
            #expect(try x.array(of: Float.self) == [5, 6, 8])
        }
    }

    @Test func changingABorrowedTensorInPlaceCopiesIt() throws {
        let block = Block {}
        var x = try Tensor(
            borrowing: UnsafeRawBufferPointer(block.memory), owner: block, shape: [6], dtype: .float32)
        try x.mutateInPlace { $0.storeBytes(of: Float(9), as: Float.self) }
        #expect(try x.array(of: Float.self)[0] == 9 && block.memory[0] == 1)
        #expect(throws: RondoError.self) {
            try Tensor(borrowing: UnsafeRawBufferPointer(block.memory), owner: block, shape: [7], dtype: .float32)
        }
    }
}
