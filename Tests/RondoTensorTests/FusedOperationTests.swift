import RondoTensor
import RondoTestSupport
import Testing

/// Fused operations: hand-written kernels against their references and against differences.
@Suite struct FusedOperationTests {
    init() { poisonFreshMemory() }

    @Test(arguments: [DType.float32, .float64]) func kernelsEqualTheirReferences(_ dtype: DType) throws {
        for fused in try FusedCase.all(dtype) {
            #expect(try Self.mismatch(fused, dtype) == nil)
        }
    }

    static func mismatch(_ fused: FusedCase, _ dtype: DType) throws -> String? {
        try fused.mismatch { fused in
            { try Tolerance(dtype, length: fused.length, depth: 4).mismatch($0, $1) }
        }
    }

    @Test func derivativesEqualDifferences() throws {
        for fused in try FusedCase.all(.float64) where fused.isSmall && !fused.hasSurrogate {
            for mode in [FusedMode.kernel, .reference] {
                let mismatch = try GradientCheck.mismatch(fused.inputs) { try fused.operation($0, mode: mode) }
                #expect(mismatch == nil, "\(fused) (\(mode))")
            }
        }
    }

    /// In a process of its own, because the instruction set belongs to the process.
    @Test(arguments: Runtime.InstructionSet.allCases)
    func everyInstructionSetAgrees(_ set: Runtime.InstructionSet) async {
        guard Runtime.InstructionSet.available.contains(set) else { return }
        await #expect(processExitsWith: .success) { [name = set.rawValue as String] in
            let set = try #require(Runtime.InstructionSet(rawValue: name))
            try Runtime.useInstructionSet(set)
            #expect(Runtime.instructionSet == set)
            poisonFreshMemory()
            for dtype in [DType.float32, .float64] {
                for fused in try FusedCase.all(dtype) {
                    #expect(try FusedOperationTests.mismatch(fused, dtype) == nil, "\(set), \(dtype)")
                }
            }
        }
    }

    @Test func threadsDoNotChangeBits() async {
        await #expect(processExitsWith: .success) {
            func everything() throws -> [Tensor] {
                var generator = Generator(seed: 2)
                var results = try FusedCase.all(.float32).flatMap { try $0.results(.kernel) }
                // Large enough to be cut into pieces.
                let (a, b) = (try generator.normal([300, 700]), try generator.normal([700, 260]))
                let product = try a.matmul(b)
                let x = try generator.normal([3, 70_001])
                results += [product, try x.sum(), try x.sum([1]), try x.exp(), try x.softmax(), try x.max([0])]
                let inputs = [try generator.normal([999, 260])]
                results += try valueAndGradient(of: inputs) {
                    try Normalization(.layer)([$0[0]])[0].softmax().square().sum()
                }.gradients
                return results
            }
            Runtime.threadCount = 1
            let expected = try everything()
            for threads in [2, 4] {
                Runtime.threadCount = threads
                for (one, many) in zip(expected, try everything()) { #expect(try sameBits(one, many)) }
            }
        }
    }

    @Test func activationsAreFreedDuringTheBackwardPass() async {
        await #expect(processExitsWith: .success) {
            let (steps, width) = (16, 1 << 14)
            var generator = Generator(seed: 6)
            let x = try generator.normal([width])
            let block = HostAllocator.bytes(width)
            let before = Runtime.hostAllocator.statistics.liveBytes
            let (_, pullback) = try valuesAndPullback(of: [x]) { inputs in
                var y = inputs[0]
                for _ in 0..<steps { y = try y.tanh() }
                return [y]
            }
            let kept = Runtime.hostAllocator.statistics.liveBytes - before
            // Each step keeps its result, and nothing else.
            #expect(kept >= steps * block && kept <= (steps + 1) * block)
            Runtime.hostAllocator.resetPeak()
            let gradients = try pullback([Tensor.ones([width])])
            let statistics = Runtime.hostAllocator.statistics
            // The pass needs a few cotangents at a time; it never holds a cotangent per step besides the activations.
            #expect(statistics.peakBytes - before <= kept + 5 * block)
            #expect(statistics.liveBytes - before <= 3 * block)
            #expect(gradients[0].count == width)
        }
    }

    @Test func checkpointingSavesMemory() async {
        await #expect(processExitsWith: .success) {
            let width = 1 << 14
            let x = try Tensor.full([width], 0.5)
            func peak(_ segment: ([Tensor], @escaping ([Tensor]) throws -> [Tensor]) throws -> [Tensor]) throws -> Int {
                let before = Runtime.hostAllocator.statistics.liveBytes
                Runtime.hostAllocator.resetPeak()
                _ = try valueAndGradient(of: [x]) { inputs in
                    var y = inputs
                    for _ in 0..<8 {
                        y = try segment(y) { inner in
                            var z = inner[0]
                            for _ in 0..<8 { z = try z.tanh() }
                            return [z]
                        }
                    }
                    return try y[0].sum()
                }
                return Runtime.hostAllocator.statistics.peakBytes - before
            }
            let plain = try peak { try $1($0) }
            let saving = try peak { try checkpoint($0, $1) }
            #expect(saving * 2 < plain)
        }
    }
}

extension Runtime.InstructionSet {
    /// Those that this processor runs: the best one and all below.
    static var available: ArraySlice<Runtime.InstructionSet> {
        allCases[...(allCases.firstIndex(of: Runtime.bestInstructionSet) ?? 0)]
    }
}

extension HostAllocator {
    /// What the allocator counts for a float32 tensor.
    static func bytes(_ elements: Int) -> Int { elements * 4 }
}
