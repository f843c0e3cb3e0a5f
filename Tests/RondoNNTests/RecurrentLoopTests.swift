import RondoTensor
import RondoTestSupport
import Testing

/// The time loop of every cell, against its equations and against differences.
@Suite struct RecurrentLoopTests {
    init() { poisonFreshMemory() }

    @Test(arguments: RecurrentCell.allCases, [DType.float32, .float64])
    func kernelEqualsReference(_ cell: RecurrentCell, _ dtype: DType) throws {
        for loop in RecurrentCase.all(cell) {
            let mismatch = try Self.mismatch(loop, dtype)
            #expect(mismatch == nil)
        }
    }

    static func mismatch(_ loop: RecurrentCase, _ dtype: DType) throws -> String? {
        let tolerance = Tolerance(dtype, length: loop.width * loop.time * loop.batch, depth: 8 * max(1, loop.time))
        let pairs = try zip(loop.results(dtype, .kernel), loop.results(dtype, .reference))
        for (index, (kernel, reference)) in pairs.enumerated() {
            if let difference = try tolerance.mismatch(kernel, reference) {
                return "\(loop), result \(index): \(difference)"
            }
        }
        return nil
    }

    @Test(arguments: RecurrentCell.allCases) func derivativesEqualDifferences(_ cell: RecurrentCell) throws {
        for options in RecurrentCase.Options.all {
            let loop = RecurrentCase(cell: cell, time: 4, batch: 2, heads: 2, width: 3, options: options)
            let operands = try loop.operands(.float64)
            let mismatch = try GradientCheck.mismatch(RecurrentCase.differentiable(operands), step: 3e-4) {
                try loop.run($0, like: operands, .kernel)
            }
            #expect(mismatch == nil, "\(loop)")
        }
    }

    /// However the work is ordered and cut, every element is computed alike.
    @Test(arguments: RecurrentCell.allCases, [DType.float32, .float64])
    func schedulesAndTilesDoNotChangeBits(_ cell: RecurrentCell, _ dtype: DType) throws {
        for fused in RecurrentCase.all(cell) {
            var others = [fused, fused, fused]
            others[0].schedule = .alternating
            others[1].tiles = RecurrentTiles(rows: 1, heads: 1)
            others[2].tiles = RecurrentTiles(rows: 2, heads: 100)
            let expected = try fused.results(dtype, .kernel)
            for other in others {
                let results = try other.results(dtype, .kernel)
                for (index, (one, two)) in zip(results, expected).enumerated() {
                    #expect(try sameBits(one, two), "\(other), \(other.schedule), result \(index)")
                }
            }
        }
    }

    /// In a process of its own, because the instruction set belongs to the process.
    @Test(arguments: Runtime.InstructionSet.allCases)
    func everyInstructionSetAgrees(_ set: Runtime.InstructionSet) async {
        let sets = Runtime.InstructionSet.allCases
        guard sets.prefix(through: sets.firstIndex(of: Runtime.bestInstructionSet) ?? 0).contains(set) else { return }
        await #expect(processExitsWith: .success) { [name = set.rawValue as String] in
            try Runtime.useInstructionSet(try #require(Runtime.InstructionSet(rawValue: name)))
            poisonFreshMemory()
            for cell in RecurrentCell.allCases {
                for dtype in [DType.float32, .float64] {
                    for loop in RecurrentCase.all(cell) {
                        let mismatch = try RecurrentLoopTests.mismatch(loop, dtype)
                        #expect(mismatch == nil)
                    }
                }
            }
        }
    }

    @Test func threadsDoNotChangeBits() async {
        await #expect(processExitsWith: .success) {
            func everything() throws -> [Tensor] {
                try RecurrentCell.allCases.flatMap { cell in
                    try [(9, 1, 1, 200), (5, 3, 1, 200), (5, 30, 1, 33), (5, 3, 4, 20)].flatMap { size in
                        try RecurrentCase(cell: cell, time: size.0, batch: size.1, heads: size.2, width: size.3)
                            .results(.float32, .kernel)
                    }
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

    /// A row is the same bits alone and among others.
    @Test(arguments: RecurrentCell.allCases) func rowsDoNotDependOnTheirNeighbours(_ cell: RecurrentCell) throws {
        let loop = RecurrentCase(cell: cell, time: 6, batch: 9, heads: 1, width: 70)
        let all = try loop.operands(.float32)
        let together = try RecurrentLoop.run(cell, all)
        for row in [0, 4, 8] {
            var alone = all
            alone.projection = try all.projection.reshaped([6, 9, -1]).sliced(1, row..<row + 1).reshaped([6, -1])
            alone.states = try all.states.map { try $0.sliced(0, row..<row + 1) }
            let result = try RecurrentLoop.run(cell, alone)
            #expect(try sameBits(result.output.contiguous(), together.output.sliced(1, row..<row + 1).contiguous()))
            for (one, many) in zip(result.states, together.states) {
                #expect(try sameBits(one, many.sliced(0, row..<row + 1).contiguous()))
            }
        }
    }

    @Test(arguments: RecurrentCell.allCases) func aSequenceMayBeCutAnywhere(_ cell: RecurrentCell) throws {
        let loop = RecurrentCase(cell: cell, time: 7, batch: 3, heads: 1, width: 33)
        let all = try loop.operands(.float32)
        let whole = try RecurrentLoop.run(cell, all)
        for cut in 0...7 {
            var (first, second) = (all, all)
            first.projection = try all.projection.sliced(0, 0..<cut * 3)
            second.projection = try all.projection.sliced(0, cut * 3..<21)
            let begin = try RecurrentLoop.run(cell, first)
            second.states = begin.states
            let end = try RecurrentLoop.run(cell, second)
            #expect(try sameBits(Tensor.concatenate([begin.output, end.output]), whole.output.contiguous()))
            for (one, two) in zip(end.states, whole.states) { #expect(try sameBits(one, two)) }
        }
    }

    @Test(arguments: RecurrentCell.allCases) func extremeInputsStayFinite(_ cell: RecurrentCell) throws {
        for scale in [-1e3, 1e3] where ![.elmanReLU, .elmanIdentity].contains(cell) {
            let loop = RecurrentCase(cell: cell, time: 20, batch: 3, heads: 1, width: 33)
            var operands = try loop.operands(.float32)
            operands.projection = try operands.projection.abs() * scale
            operands.states = try operands.states.map { try Tensor.zeros($0.shape) }
            let (outputs, pullback) = try valuesAndPullback(of: RecurrentCase.differentiable(operands)) {
                try loop.run($0, like: operands, .kernel)
            }
            let gradients = try pullback(outputs.map { try Tensor.ones($0.shape) })
            for result in outputs + gradients { #expect(try result.isFinite(), "\(cell) \(scale)") }
        }
    }

    @Test func aRowWithNaNLeavesTheOthersAlone() throws {
        let loop = RecurrentCase(cell: .lstm, time: 5, batch: 7, heads: 1, width: 33)
        let operands = try loop.operands(.float32)
        var poisoned = operands
        let rows = try Tensor((0..<35).map { $0 % 7 == 2 ? Float.nan : 0 }, shape: [35, 1])
        poisoned.projection = try operands.projection + rows
        let (clean, dirty) = (try RecurrentLoop.run(.lstm, operands), try RecurrentLoop.run(.lstm, poisoned))
        for row in [0, 1, 3, 6] {
            #expect(
                try sameBits(
                    clean.output.sliced(1, row..<row + 1).contiguous(),
                    dirty.output.sliced(1, row..<row + 1).contiguous()))
        }
    }

    @Test func shapesThatDoNotFitAreRefused() throws {
        let operands = try RecurrentCase(cell: .gru, time: 2, batch: 3, heads: 1, width: 5).operands(.float32)
        func code(_ cell: RecurrentCell, _ operands: RecurrentLoop.Operands, lengths: [Int]? = nil) throws
            -> RondoError.Code
        {
            try rondoError { _ = try RecurrentLoop.run(cell, operands, lengths: lengths) }.code
        }
        #expect(try code(.lstm, operands) == .invalidArgument)
        #expect(try code(.gru, operands, lengths: [1, 2]) == .outOfRange)
        #expect(try code(.gru, operands, lengths: [1, 2, 3]) == .outOfRange)
        var wrong = operands
        wrong.bias = try Tensor.zeros([14])
        #expect(try code(.gru, wrong) == .shapeMismatch)
        wrong = operands
        wrong.extras = nil
        #expect(try code(.gru, wrong) == .invalidArgument)
        wrong = operands
        wrong.recurrent = try operands.recurrent.cast(to: .float64)
        #expect(try code(.gru, wrong) == .dtypeMismatch)
    }
}
