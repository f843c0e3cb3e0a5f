internal import CRondoKernels

/// A recurrent cell over a whole sequence, in one time loop.
///
/// The input projection comes from outside: rows of x Wᵀ in time-major order, so that one product makes all of them.
/// See ``Operands`` for the inputs. Outputs: the hidden states `[time, batch, H]`, zero beyond a row's length, then each
/// final state `[batch, H]`.
public struct RecurrentLoop: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "recurrentLoop"
    /// The cell.
    public var cell: RecurrentCell
    /// Whether each row runs backwards, from its own last position.
    public var reverse: Bool
    /// The length of each row; `nil` if all have all positions.
    public var lengths: [Int32]?
    /// Which optional inputs are there.
    public let layout: Layout
    /// Whether the backward pass will run; if not, nothing is kept for it.
    public var keepsIntermediates: Bool
    /// In which order the kernel works; never changes results.
    public var schedule = Schedule.fused
    /// How the fused schedule cuts the work; by the kernel's own rule if `nil`.
    ///
    /// It never changes results.
    public var tiles: RecurrentTiles?

    /// In which order the kernel works.
    public enum Schedule: Sendable, CaseIterable {
        /// Workers carry their sequences and heads through all of time, with their part of R in a near cache.
        case fused
        /// At every position one product for all sequences and heads, then their cells; R is read every time.
        case alternating
    }

    /// The tensors a recurrent loop reads.
    public struct Operands: Sendable {
        /// x Wᵀ: `[time * batch, input gates * H]`, position t of row b at t * batch + b.
        public var projection: Tensor
        /// R: `[recurrent gates, heads, D, D]` (to, from), heads * D = H.
        public var recurrent: Tensor
        /// The states before, each `[batch, H]`.
        public var states: [Tensor]
        /// The cell's own parameters, `[extra names, H]`, if it has any.
        public var extras: Tensor?
        /// Added to the projection of every position: `[input gates * H]`.
        public var bias: Tensor?
        /// `[batch, H]`: multiplies h⁻ inside the gates at every position (variational dropout).
        ///
        /// No derivative flows to it.
        public var mask: Tensor?
        /// For h, then c: the share of the old state that stays, `[time, batch, H]` or `[1, 1, H]`.
        ///
        /// No derivative flows to it.
        public var zoneout: [Tensor]

        /// Bundles the tensors.
        public init(
            projection: Tensor, recurrent: Tensor, states: [Tensor], extras: Tensor? = nil, bias: Tensor? = nil,
            mask: Tensor? = nil, zoneout: [Tensor] = []
        ) {
            self.projection = projection
            self.recurrent = recurrent
            self.states = states
            self.extras = extras
            self.bias = bias
            self.mask = mask
            self.zoneout = zoneout
        }

        /// All tensors in the order of the operation's inputs.
        var tensors: [Tensor] {
            [projection, recurrent] + states + [extras, bias, mask].compactMap { $0 } + zoneout
        }
    }

    /// Which optional inputs an operation has.
    public struct Layout: Sendable, Hashable {
        var extras: Bool
        var bias: Bool
        var mask: Bool
        var zoneout: Int
    }

    /// Creates the operation for its operands; run it with ``callAsFunction(_:)-(Operands)``.
    public init(_ cell: RecurrentCell, for operands: Operands, reverse: Bool = false, lengths: [Int]? = nil) {
        self.cell = cell
        self.reverse = reverse
        self.lengths = lengths.map { $0.map { Int32(clamping: $0) } }
        layout = Layout(
            extras: operands.extras != nil, bias: operands.bias != nil, mask: operands.mask != nil,
            zoneout: operands.zoneout.count)
        keepsIntermediates = operands.tensors.contains(where: \.requiresGradient)
    }

    /// Runs the loop over its operands.
    public static func run(
        _ cell: RecurrentCell, _ operands: Operands, reverse: Bool = false, lengths: [Int]? = nil,
        schedule: Schedule = .fused, tiles: RecurrentTiles? = nil, mode: FusedMode = .kernel
    ) throws -> (output: Tensor, states: [Tensor]) {
        var loop = RecurrentLoop(cell, for: operands, reverse: reverse, lengths: lengths)
        (loop.schedule, loop.tiles) = (schedule, tiles)
        let outputs = try loop(operands.tensors, mode: mode)
        return (outputs[0], Array(outputs.dropFirst()))
    }

    /// The inputs by name again.
    func operands(_ inputs: [Tensor]) throws -> Operands {
        let states = cell.stateNames.count
        let optional = [layout.extras, layout.bias, layout.mask].count { $0 }
        guard inputs.count == 2 + states + optional + layout.zoneout else {
            throw RondoError(
                .invalidArgument, "recurrentLoop: \(inputs.count) inputs do not fit the layout it was made for")
        }
        var rest = inputs.dropFirst(2 + states)
        return Operands(
            projection: inputs[0], recurrent: inputs[1], states: Array(inputs[2..<2 + states]),
            extras: layout.extras ? rest.popFirst() : nil, bias: layout.bias ? rest.popFirst() : nil,
            mask: layout.mask ? rest.popFirst() : nil, zoneout: Array(rest))
    }

    /// The extents of a call.
    struct Extents {
        var time: Int
        var batch: Int
        var heads: Int
        var width: Int
        var units: Int { heads * width }
    }

    static func extents(_ operands: Operands) -> Extents {
        let (recurrent, batch) = (operands.recurrent.shape, operands.states[0].shape[0])
        let rows = operands.projection.shape[0]
        return Extents(time: batch == 0 ? 0 : rows / batch, batch: batch, heads: recurrent[1], width: recurrent[2])
    }

    /// Refuses shapes, types and lengths that do not fit the cell.
    public func validate(_ inputs: [Tensor]) throws {
        let all = try operands(inputs)
        let shape = all.recurrent.shape
        guard shape.count == 4, shape[0] == cell.recurrentGates.count, shape[2] == shape[3], shape[2] >= 1,
            shape[1] >= 1
        else {
            throw RondoError(
                .shapeMismatch,
                "recurrentLoop: \(cell.rawValue) needs a recurrent matrix [\(cell.recurrentGates.count), heads, D, D]; got \(shape)"
            )
        }
        let units = shape[1] * shape[2]
        let gates = cell.inputGates.count * units
        let batch = all.states[0].shape.first ?? 0
        let rows = all.projection.shape.first ?? 0
        let time = batch == 0 ? 0 : rows / batch
        let expected: [(String, Tensor, [Shape])] =
            [("projection", all.projection, [[time * batch, gates]])]
            + all.states.map { ("state", $0, [[batch, units]]) }
            + (all.extras.map { [("extras", $0, [[cell.extraNames.count, units]])] } ?? [])
            + (all.bias.map { [("bias", $0, [[gates]])] } ?? [])
            + (all.mask.map { [("mask", $0, [[batch, units]])] } ?? [])
            + all.zoneout.map { ("zoneout", $0, [[time, batch, units], [1, 1, units]]) }
        for (name, tensor, shapes) in expected where !shapes.contains(tensor.shape) {
            throw RondoError(
                .shapeMismatch,
                "recurrentLoop: the \(name) of \(cell.rawValue) needs shape \(shapes); got \(tensor.shape)")
        }
        guard (all.extras != nil) == !cell.extraNames.isEmpty, all.zoneout.count <= cell.zoneoutStates else {
            throw RondoError(
                .invalidArgument,
                "recurrentLoop: \(cell.rawValue) has extras \(cell.extraNames) and at most \(cell.zoneoutStates) zoneout states"
            )
        }
        guard inputs.allSatisfy({ $0.dtype == inputs[0].dtype }) else {
            throw RondoError(
                .dtypeMismatch, "recurrentLoop: all inputs need one type; got \(inputs.map(\.dtype.rawValue))")
        }
        if let lengths, lengths.count != batch || !lengths.allSatisfy({ 0...time ~= Int($0) }) {
            throw RondoError(
                .outOfRange, "recurrentLoop: \(batch) rows of \(time) positions cannot have lengths \(lengths)")
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }
}
