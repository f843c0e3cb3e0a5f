import RondoTensor
import RondoTestSupport
import Testing

/// A tensor of the numbers 0, 1, 2, … in a shape.
private func counting(_ shape: Shape, dtype: DType = .float32) throws -> Tensor {
    try Tensor.range(shape.product, dtype: dtype).reshaped(shape)
}

@Suite struct TensorViewTests {
    @Test func transposesWithoutCopying() throws {
        let x = try counting([2, 3])
        let y = try x.transposed()
        #expect(y.shape == [3, 2])
        #expect(y.storage === x.storage)
        #expect(try y.array(of: Float.self) == [0, 3, 1, 4, 2, 5])
    }

    @Test func reshapesViewsOnlyWhereElementsStay() throws {
        let x = try counting([4, 3, 2])
        let split = try x.transposed(0, 1).reshaped([3, 2, 2, 2])
        #expect(split.storage === x.storage)
        let merged = try x.transposed(0, 1).reshaped([12, 2])
        #expect(merged.storage !== x.storage)
        #expect(try merged.array(of: Float.self).prefix(4) == [0, 1, 6, 7])
        #expect(try x.sliced(2, 0..<1).reshaped([12]).array(of: Float.self) == (0..<12).map { Float($0 * 2) })
    }

    @Test func infersOneExtent() throws {
        #expect(try counting([2, 6]).reshaped([3, -1]).shape == [3, 4])
        #expect(throws: RondoError.self) { try counting([2, 6]).reshaped([5, -1]) }
    }

    @Test(arguments: [1, 2, 3]) func slicesWithSteps(step: Int) throws {
        let x = try counting([3, 7])
        let y = try x.sliced(1, 1..<6, step: step)
        let expected = (0..<3).flatMap { row in stride(from: 1, to: 6, by: step).map { Float(row * 7 + $0) } }
        #expect(try y.array(of: Float.self) == expected)
    }

    @Test func splitsStacksAndPads() throws {
        let x = try counting([2, 4])
        let halves = try x.split(2, axis: 1)
        #expect(try Tensor.concatenate(halves, axis: 1).array(of: Float.self) == x.array(of: Float.self))
        #expect(try Tensor.stack(halves, axis: 0).shape == [2, 2, 2])
        #expect(try x.padded(1, before: 1, after: 2).array(of: Float.self).prefix(7) == [0, 0, 1, 2, 3, 0, 0])
    }

    @Test func mapsRowsInMemoryOrder() throws {
        let x = try counting([3, 2, 4]).transposed(0, 1)
        var seen: [Float] = []
        let y = try x.mappingRows { rows in
            seen = try rows.array(of: Float.self)
            #expect(rows.shape == [6, 4] && rows.storage === x.storage)
            return try rows.sum([1], keepingAxes: true)
        }
        #expect(seen == (0..<24).map(Float.init))
        #expect(y.shape == [2, 3, 1])
        #expect(try y.array(of: Float.self) == x.sum([2]).array(of: Float.self))
        #expect(try counting([4]).mappingRows { try $0 * 2 }.shape == [4])
    }

    @Test func broadcastingNamesTheAxisThatDiffers() throws {
        let error = #expect(throws: RondoError.self) { try counting([2, 3]) + counting([2, 4]) }
        let message = try #require(error).message
        #expect(message.contains("add") && message.contains("[2, 3]") && message.contains("[2, 4]"))
        #expect(error?.code == .shapeMismatch)
    }

    @Test func typesMustAgree() throws {
        let error = #expect(throws: RondoError.self) { try counting([2]) + counting([2], dtype: .float64) }
        #expect(error?.code == .dtypeMismatch)
        #expect(error?.message.contains("cast(to:)") == true)
    }
}

@Suite struct TensorValueTests {
    @Test func changesInPlaceOnlyWhenAlone() throws {
        var x = try counting([3])
        let copy = x
        try x.mutateInPlace { $0.bindMemory(to: Float.self)[0] = 9 }
        #expect(try copy.array(of: Float.self) == [0, 1, 2])
        #expect(try x.array(of: Float.self) == [9, 1, 2])
        let address = x.storage.pointer
        try x.mutateInPlace { $0.bindMemory(to: Float.self)[1] = 8 }
        #expect(x.storage.pointer == address)
    }

    @Test(arguments: [(1, 1, 1), (3, 5, 7), (33, 100, 3), (17, 1, 64), (1, 130, 33)])
    func multipliesMatrices(m: Int, n: Int, k: Int) throws {
        var generator = Generator(seed: 3)
        for dtype in [DType.float32, .float64] {
            let a = try generator.normal([m, k], dtype: dtype)
            let b = try generator.normal([k, n], dtype: dtype)
            let (left, right) = (
                try a.cast(to: .float64).array(of: Double.self), try b.cast(to: .float64).array(of: Double.self)
            )
            var expected = [Double](repeating: 0, count: m * n)
            for i in 0..<m {
                for j in 0..<n { for l in 0..<k { expected[i * n + j] += left[i * k + l] * right[l * n + j] } }
            }
            let ways = [
                try a.matmul(b), try a.transposed().contiguous().transposed().matmul(b),
                try a.matmul(b.transposed().contiguous().transposed()),
                try a.transposed().contiguous().transposed().matmul(b.transposed().contiguous().transposed()),
            ]
            for product in ways {
                let values = try product.cast(to: .float64).array(of: Double.self)
                let tolerance = (dtype == .float32 ? 1e-6 : 1e-14) * Double(k).squareRoot() * 8
                #expect(zip(values, expected).allSatisfy { abs($0 - $1) <= tolerance })
            }
        }
    }

    @Test func multipliesBatchesWithBroadcasting() throws {
        var generator = Generator(seed: 4)
        let a = try generator.normal([2, 1, 3, 4], dtype: .float64)
        let b = try generator.normal([5, 4, 2], dtype: .float64)
        let product = try a.matmul(b)
        #expect(product.shape == [2, 5, 3, 2])
        for i in 0..<2 {
            for j in 0..<5 {
                let one = try a.selecting(0, i).selecting(0, 0).matmul(b.selecting(0, j))
                let same = try product.selecting(0, i).selecting(0, j)
                #expect(try (one - same).abs().max().scalar() < 1e-12)
            }
        }
    }

    @Test func takesAndScatters() throws {
        let table = try counting([4, 3])
        let indices = try Tensor([Int32(2), 0, 2])
        #expect(try table.takingRows(indices).array(of: Float.self) == [6, 7, 8, 0, 1, 2, 6, 7, 8])
        let sum = try Tensor.ones([3, 3]).scatterAddingRows(indices, rows: 4)
        #expect(try sum.array(of: Float.self) == [1, 1, 1, 0, 0, 0, 2, 2, 2, 0, 0, 0])
        let error = #expect(throws: RondoError.self) { try table.takingRows(Tensor([Int32(4)])) }
        #expect(error?.message.contains("index 4 lies outside 0..<4") == true)
        let columns = try Tensor([Int32(1), 0, 2, 2], shape: [4, 1])
        #expect(try table.takingAlong(columns, axis: 1).array(of: Float.self) == [1, 3, 8, 11])
    }

    @Test func sortsAndPicksTheLargest() throws {
        let x = try Tensor([3, .nan, -1, 3, 0] as [Float])
        #expect(try x.sorted().indices.array(of: Int32.self) == [2, 4, 0, 3, 1])
        #expect(try x.sorted(descending: true).indices.array(of: Int32.self) == [1, 0, 3, 4, 2])
        let top = try Tensor([3, 5, -1, 3, 0] as [Float]).topK(3)
        #expect(try top.values.array(of: Float.self) == [5, 3, 3])
        #expect(try top.indices.array(of: Int32.self) == [1, 0, 3])
    }

    @Test func reducesAlongAxes() throws {
        let x = try counting([2, 3, 4], dtype: .float64)
        #expect(try x.sum([0, 2]).array(of: Double.self) == [60, 92, 124])
        #expect(try x.max([1]).array(of: Double.self) == [8, 9, 10, 11, 20, 21, 22, 23])
        #expect(try x.mean().scalar() == 11.5)
        #expect(
            try x.cumulativeSum(1, reverse: true).selecting(1, 0).array(of: Double.self)
                == x.sum([1]).array(of: Double.self))
        #expect(try x.argmax(1).array(of: Int32.self) == [Int32](repeating: 2, count: 8))
        #expect(try counting([0, 3]).sum([0]).array(of: Float.self) == [0, 0, 0])
    }

    @Test func computesWithIntegersExactly() throws {
        let x = try Tensor([Int32.max, -5, 7])
        #expect(try (x - Tensor([Int32(1), 1, 1])).array(of: Int32.self) == [Int32.max - 1, -6, 6])
        #expect(try x.max().cast(to: .float64).scalar() == Double(Int32.max))
    }

    @Test func storageTypesAreCastNotComputedWith() throws {
        let x = try Tensor([1.5, -2.25, 65_504, 1e-8] as [Float])
        #expect(try x.cast(to: .bfloat16).cast(to: .float32).array(of: Float.self)[1] == -2.25)
        #expect(try x.cast(to: .float16).cast(to: .float32).array(of: Float.self).prefix(3) == [1.5, -2.25, 65_504])
        let error = #expect(throws: RondoError.self) { try x.cast(to: .bfloat16).exp() }
        #expect(error?.code == .dtypeMismatch)
    }
}

@Suite struct GeneratorTests {
    @Test func drawsDependOnPositionAlone() throws {
        var first = Generator(seed: 7)
        var second = Generator(seed: 7)
        let whole = try first.normal([300_000]).array(of: Float.self)
        let parts = try (0..<3).flatMap { _ in try second.normal([100_000]).array(of: Float.self) }
        #expect(whole == parts)
        #expect(first == second)
    }

    @Test func splitStreamsDiffer() throws {
        var generator = Generator(seed: 7)
        var (left, right) = (generator.split(), generator.split())
        #expect(try left.uniform([8]).array(of: Float.self) != right.uniform([8]).array(of: Float.self))
        #expect(left.stream != right.stream)
    }
}

@Suite struct AllocatorTests {
    @Test func reusesBlocksAndCounts() throws {
        let allocator = HostAllocator()
        let first = try allocator.allocate(byteCount: 1000)
        #expect(allocator.statistics.liveBytes == 1024)
        allocator.deallocate(first, byteCount: 1000)
        let second = try allocator.allocate(byteCount: 1010)
        #expect(first == second)
        #expect(allocator.statistics.systemAllocations == 1)
        allocator.deallocate(second, byteCount: 1010)
        let statistics = allocator.statistics
        #expect(statistics.liveBytes == 0 && statistics.peakBytes == 1024 && statistics.cachedBytes == 1024)
        allocator.trim()
        #expect(allocator.statistics.cachedBytes == 0)
    }

    @Test(arguments: [1, 63, 64, 65, 1000, 4097, 1 << 20, (1 << 20) + 1, 99_999_999])
    func sizeClassesWasteLittle(size: Int) {
        let rounded = HostAllocator.sizeClass(size)
        #expect(rounded >= size && HostAllocator.sizeClass(rounded) == rounded)
        #expect(rounded - size <= max(64, size / 8))
    }

    @Test func poisonIsNotANumber() throws {
        let allocator = HostAllocator()
        allocator.poisonsFreshMemory = true
        let block = try allocator.allocate(byteCount: 64)
        #expect(block.load(as: Float.self).isNaN && block.load(as: Double.self).isNaN)
        allocator.deallocate(block, byteCount: 64)
    }

    @Test func impossibleSizesAreRefused() {
        #expect(throws: RondoError.self) { try Tensor.zeros([1 << 40, 1 << 40]) }
        #expect(throws: RondoError.self) { try Tensor.zeros([-1]) }
    }

    @Test func updatesInPlaceChangeNoOtherValue() throws {
        var generator = Generator(seed: 3)
        var x = try generator.normal([3, 70])
        let (copy, place) = (x, x.storage.pointer)
        let (before, expected) = try (x.copied(), x.silu())
        try x.update(.silu)
        #expect(try sameBits(x, expected) && sameBits(copy, before))
        #expect(x.storage.pointer != place)
        let (own, twice) = (x.storage.pointer, try x.tanh())
        try x.update(.tanh)
        #expect(try sameBits(x, twice))
        #expect(x.storage.pointer == own)
    }

    @Test func rowsAreTakenIntoTheSameMemory() throws {
        var generator = Generator(seed: 4)
        let table = try generator.normal([5, 7])
        var rows = Tensor.empty
        for indices in [[4, 0], [2, 2], [1, 3]] as [[Int32]] {
            let place = rows.storage.pointer
            try rows.update(takingRows: Tensor(indices), of: table)
            #expect(try sameBits(rows, table.takingRows(Tensor(indices))))
            #expect(indices == [4, 0] || rows.storage.pointer == place)
        }
        let kept = rows
        try rows.update(takingRows: Tensor([Int32(0), 0]), of: table)
        #expect(try sameBits(kept, table.takingRows(Tensor([Int32(1), 3]))))
        for wrong in [-1, 5] as [Int32] {
            #expect(throws: RondoError.self) { try rows.update(takingRows: Tensor([wrong, 0]), of: table) }
        }
    }
}
