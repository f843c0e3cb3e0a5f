import RondoTensor

/// One recurrent loop with random operands.
struct RecurrentCase: Sendable, CustomStringConvertible {
    var cell: RecurrentCell
    var (time, batch, heads, width) = (5, 3, 1, 3)
    var options = Options()
    var schedule = RecurrentLoop.Schedule.fused
    var tiles: RecurrentTiles?

    /// What a loop may be asked for beside the plain thing.
    struct Options: Sendable, Hashable {
        var reverse = false
        var lengths = false
        var bias = true
        var mask = false
        /// 0: none; 1: drawn for each position; 2: constant, as in evaluation.
        var zoneout = 0

        static let all = [
            Options(), Options(reverse: true), Options(lengths: true), Options(reverse: true, lengths: true),
            Options(bias: false, mask: true, zoneout: 1), Options(zoneout: 2),
            Options(reverse: true, lengths: true, mask: true, zoneout: 1),
        ]
    }

    var description: String {
        "\(cell.rawValue), time \(time), batch \(batch), heads \(heads) x \(width), \(options)"
    }

    /// Odd sizes: single elements, padded vectors, several blocks, heads, empty sequences.
    static func all(_ cell: RecurrentCell) -> [RecurrentCase] {
        let sizes = [
            (1, 1, 1, 1), (5, 3, 1, 3), (3, 1, 1, 100), (7, 7, 1, 33), (5, 2, 3, 5), (3, 7, 2, 33), (0, 2, 1, 4),
            (2, 20, 1, 70),
        ]
        return sizes.flatMap { size in
            Options.all.map {
                RecurrentCase(cell: cell, time: size.0, batch: size.1, heads: size.2, width: size.3, options: $0)
            }
        }
    }

    var lengths: [Int]? {
        options.lengths ? (0..<batch).map { (time * ($0 + 1) + $0) / (batch + 1) } : nil
    }

    /// Random operands of moderate size; the sLSTM's normaliser is at least 1, as it always is.
    func operands(_ dtype: DType) throws -> RecurrentLoop.Operands {
        var generator = Generator(seed: 17)
        let units = heads * width
        func draw(_ shape: Shape, _ scale: Double = 0.5) throws -> Tensor {
            try (generator.normal(shape, dtype: .float64) * scale).cast(to: dtype)
        }
        func draws(_ shape: Shape) throws -> Tensor {
            try generator.uniform(shape, dtype: .float64).less(than: Tensor(0.3, dtype: .float64)).cast(to: dtype)
        }
        let gates = cell.inputGates.count * units
        var states = try cell.stateNames.map { _ in try draw([batch, units]) }
        if cell == .slstm { states[2] = try states[2].abs() + 1.1 }
        var operands = RecurrentLoop.Operands(
            projection: try draw([time * batch, gates], 1),
            recurrent: try draw([cell.recurrentGates.count, heads, width, width], 1 / Double(width).squareRoot()),
            states: states, extras: try cell.extraNames.isEmpty ? nil : draw([cell.extraNames.count, units]) + 0.5,
            bias: try options.bias ? draw([gates]) : nil)
        if options.mask { operands.mask = try draws([batch, units]) * 1.5 }
        for _ in 0..<cell.zoneoutStates where options.zoneout > 0 {
            operands.zoneout.append(
                try options.zoneout == 1
                    ? draws([time, batch, units]) : Tensor.full([1, 1, units], 0.25, dtype: dtype))
        }
        return operands
    }

    /// The inputs that have derivatives.
    static func differentiable(_ all: RecurrentLoop.Operands) -> [Tensor] {
        [all.projection, all.recurrent] + all.states + [all.extras, all.bias].compactMap { $0 }
    }

    /// The outputs, from other values of the differentiable inputs.
    func run(_ inputs: [Tensor], like operands: RecurrentLoop.Operands, _ mode: FusedMode) throws -> [Tensor] {
        var (all, rest) = (operands, inputs.dropFirst(2 + operands.states.count))
        (all.projection, all.recurrent) = (inputs[0], inputs[1])
        all.states = Array(inputs[2..<2 + operands.states.count])
        if all.extras != nil { all.extras = rest.popFirst() }
        if all.bias != nil { all.bias = rest.popFirst() }
        let result = try RecurrentLoop.run(
            cell, all, reverse: options.reverse, lengths: lengths, schedule: schedule, tiles: tiles, mode: mode)
        return [result.output] + result.states
    }

    /// Outputs and derivatives, for fixed random cotangents of outputs and final states.
    func results(_ dtype: DType, _ mode: FusedMode) throws -> [Tensor] {
        let operands = try operands(dtype)
        let (outputs, pullback) = try valuesAndPullback(of: Self.differentiable(operands)) {
            try run($0, like: operands, mode)
        }
        var generator = Generator(seed: 5)
        return try outputs + pullback(outputs.map { try generator.normal($0.shape, dtype: dtype) })
    }
}
