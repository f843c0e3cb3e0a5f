import RondoTensor

/// A recurrent layer with random parameters, inputs and initial states.
struct RandomRecurrence {
    let cell: RecurrentCell
    let operands: RecurrentLoop.Operands
    let shape: RecurrentTiles.Shape
    /// What multiplies the results in the sum whose derivatives ``run(schedule:tiles:mode:)`` takes.
    private let cotangent: Tensor

    /// Draws everything: R from U(±1/√D), the rest normal; normalisers of an sLSTM are at least 1.
    init(
        _ cell: RecurrentCell, heads: Int, width: Int, batch: Int, time: Int, _ generator: inout Generator
    ) throws {
        let units = heads * width
        let bound = 1 / Double(width).squareRoot()
        let gates = cell.recurrentGates.count
        func draw(_ shape: Shape, _ deviation: Double) throws -> Tensor {
            try generator.normal(shape, deviation: deviation)
        }
        self.cell = cell
        shape = RecurrentTiles.Shape(gates: gates, heads: heads, width: width, batch: batch)
        operands = RecurrentLoop.Operands(
            projection: try draw([time * batch, cell.inputGates.count * units], 1),
            recurrent: try generator.uniform([gates, heads, width, width], low: -bound, high: bound),
            states: try cell.stateNames.map { name in
                let state = try draw([batch, units], 0.5)
                return try name == "n" ? state.abs() + 1 : state
            },
            extras: try cell.extraNames.isEmpty ? nil : draw([cell.extraNames.count, units], 0.1),
            bias: try draw([cell.inputGates.count * units], 0.1))
        cotangent = try draw([(time + cell.stateNames.count) * batch * units], 1)
    }

    private init(_ other: RandomRecurrence, _ operands: RecurrentLoop.Operands, _ shape: RecurrentTiles.Shape) {
        (cell, cotangent, self.operands, self.shape) = (other.cell, other.cotangent, operands, shape)
    }

    /// The same layer with the heads' matrices as blocks of one large matrix.
    func asOneHead() throws -> RandomRecurrence {
        let width = shape.width
        let rows = try (0..<shape.heads).map { head in
            try operands.recurrent.sliced(1, head..<head + 1).padded(
                3, before: head * width, after: (shape.heads - 1 - head) * width)
        }
        var dense = operands
        dense.recurrent = try Tensor.concatenate(rows, axis: 2)
        var one = shape
        (one.heads, one.width) = (1, shape.heads * width)
        return RandomRecurrence(self, dense, one)
    }

    /// Hidden states and last states.
    func forward(
        schedule: RecurrentLoop.Schedule = .fused, tiles: RecurrentTiles? = nil, mode: FusedMode = .kernel
    ) throws -> (output: Tensor, states: [Tensor]) {
        try RecurrentLoop.run(cell, operands, schedule: schedule, tiles: tiles, mode: mode)
    }

    /// Hidden states and last states, one after the other.
    private func outputs(
        schedule: RecurrentLoop.Schedule, tiles: RecurrentTiles?, mode: FusedMode
    ) throws -> Tensor {
        let result = try forward(schedule: schedule, tiles: tiles, mode: mode)
        return try Tensor.concatenate(([result.output] + result.states).map { try $0.reshaped([-1]) })
    }

    /// All results, and the derivatives of a weighted sum by projection, R, states, extras and bias.
    func run(
        schedule: RecurrentLoop.Schedule = .fused, tiles: RecurrentTiles? = nil, mode: FusedMode = .kernel
    ) throws -> (values: Tensor, gradients: [Tensor]) {
        let optional = [operands.extras, operands.bias].compactMap { $0 }
        let leaves = [operands.projection, operands.recurrent] + operands.states + optional
        let (values, pullback) = try valuesAndPullback(of: leaves) { tracked in
            var own = operands
            (own.projection, own.recurrent) = (tracked[0], tracked[1])
            own.states = Array(tracked[2..<2 + own.states.count])
            if own.extras != nil { own.extras = tracked[tracked.count - 2] }
            own.bias = tracked.last
            return [try RandomRecurrence(self, own, shape).outputs(schedule: schedule, tiles: tiles, mode: mode)]
        }
        return (values[0], try pullback([cotangent]))
    }
}
