import RondoTensor
import RondoTestSupport
import Testing

/// Newton's method on recurrences: how it ends, beside the values that the fused cases compare.
@Suite struct NewtonRecurrenceTests {
    private func operands(_ cell: DiagonalCellLoop.Cell, time: Int) throws -> [Tensor] {
        var generator = Generator(seed: 3)
        func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape), dtype: .float64) }
        let (gates, weights) = (try draw(2, time, 3, 14), try draw(3, 14) * 0.3)
        let states = try (0..<cell.stateCount).map { _ in try draw(2, 14) }
        return [gates, weights] + (cell == .lstm ? [try draw(2, 14) * 0.3] : []) + states
    }

    @Test(arguments: DiagonalCellLoop.Cell.allCases)
    func fewIterationsSuffice(_ cell: DiagonalCellLoop.Cell) throws {
        let inputs = try operands(cell, time: 700)
        let (outputs, report) = try DiagonalCellLoop(cell).solved(inputs, by: NewtonRecurrence())
        #expect(report.converged && (1...6).contains(report.iterations), "\(report)")
        for (parallel, sequential) in zip(outputs, try DiagonalCellLoop(cell)(inputs)) {
            #expect(try Tolerance(.float64, depth: 8).mismatch(parallel, sequential) == nil)
        }
    }

    @Test(arguments: DiagonalCellLoop.Cell.allCases)
    func fallsBackToTheSequentialForm(_ cell: DiagonalCellLoop.Cell) throws {
        let inputs = try operands(cell, time: 50)
        let (outputs, report) = try DiagonalCellLoop(cell).solved(inputs, by: NewtonRecurrence(iterationLimit: 1))
        #expect(!report.converged && report.iterations == 1 && report.residual > 0)
        for (fallback, sequential) in zip(outputs, try DiagonalCellLoop(cell)(inputs)) {
            #expect(try sameBits(fallback, sequential))
        }
    }

    /// So many iterations make one more state exact each, and no fallback hides what is wrong beyond.
    @Test(arguments: DiagonalCellLoop.Cell.allCases)
    func fixedIterationsStayGuesses(_ cell: DiagonalCellLoop.Cell) throws {
        let inputs = try operands(cell, time: 50)
        let exact = try DiagonalCellLoop(cell)(inputs)[0]
        let (outputs, report) = try DiagonalCellLoop(cell).solved(inputs, by: .iterating(1))
        #expect(!report.converged && report.iterations == 1)
        let apart = try (outputs[0] - exact).abs()
        #expect(try apart.sliced(1, 0..<2).max().scalar() < 1e-12)
        #expect(try apart.max().scalar() > 1e-3)
        let last = try DiagonalCellLoop(cell).solved(inputs, by: .iterating(49)).outputs[0]
        #expect(try (last - exact).abs().max().scalar() < 1e-12)
    }

    @Test func searchBeginsAtTheGuess() throws {
        let inputs = try operands(.lstm, time: 30)
        let exact = try DiagonalCellLoop(.lstm).solved(inputs, by: NewtonRecurrence())
        var generator = Generator(seed: 9)
        let guess = try generator.normal([2, 30, 2, 14], dtype: .float64)
        let kept = try DiagonalCellLoop(.lstm).solved(inputs, by: .iterating(0), guess: guess)
        #expect(try sameBits(kept.outputs[0], guess.selecting(2, 0).contiguous()))
        let found = try DiagonalCellLoop(.lstm).solved(inputs, by: NewtonRecurrence(iterationLimit: 30), guess: guess)
        #expect(found.report.converged)
        #expect(try Tolerance(.float64, depth: 8).mismatch(found.outputs[0], exact.outputs[0]) == nil)
    }

    /// A cell that is linear in its state needs one iteration, whatever the guess.
    @Test func linearCellsNeedOneIteration() throws {
        var generator = Generator(seed: 4)
        let jacobian = try generator.normal([1, 300, 2, 2, 5], dtype: .float64) * 0.4
        let x = try generator.normal([1, 300, 2, 5], dtype: .float64)
        let initial = try generator.normal([1, 2, 5], dtype: .float64)
        let expected = try BlockLinearRecurrence()([jacobian, x, initial])[0]
        let (states, report) = try NewtonRecurrence().solve(initial: initial, time: 300) { previous in
            (try (jacobian * previous.expanded(at: 2)).sum([3]) + x, jacobian)
        } sequential: {
            expected
        }
        #expect(report.converged && report.iterations == 1)
        #expect(try Tolerance(.float64, depth: 8).mismatch(states, expected) == nil)
    }
}
