internal import CRondoKernels

/// A recurrent cell one position at a time, without allocation: the recurrent matrix is packed once.
///
/// A value: a copy continues on its own.
public struct RecurrentStep: Sendable {
    /// The cell.
    public let cell: RecurrentCell
    private let operands: RecurrentLoop.Operands
    private let extents: RecurrentLoop.Extents
    /// The packed matrix and scratch of the loop.
    private var workspace: Tensor
    private var packedFor: Runtime.InstructionSet?
    /// Where the loop walks: h before and after, then the other states.
    private var slots: Tensor

    /// Prepares the steps of a cell.
    ///
    /// - Parameters:
    ///   - cell: the cell.
    ///   - operands: what ``RecurrentLoop`` reads; of the projection and the states only the shapes count, for one
    ///     position.
    /// - Throws: ``RondoError`` when shapes do not fit.
    public init(_ cell: RecurrentCell, _ operands: RecurrentLoop.Operands) throws {
        try RecurrentLoop(cell, for: operands).validate(operands.tensors)
        self.cell = cell
        var operands = operands
        operands.recurrent = try operands.recurrent.dense()
        operands.extras = try operands.extras?.dense()
        operands.bias = try operands.bias?.dense()
        operands.zoneout = try operands.zoneout.map { try $0.dense() }
        self.operands = operands
        extents = RecurrentLoop.extents(operands)
        workspace = try Tensor.uninitialized([0], .int8)
        slots = try Tensor.zeros(
            [cell.stateNames.count + 1, extents.batch, extents.units], dtype: operands.recurrent.dtype)
    }

    /// Advances the states, `[batch, H]` each, by one position.
    ///
    /// - Parameters:
    ///   - projection: x Wᵀ of the position, `[batch, input gates * H]`, dense.
    ///   - states: the states before; become those after, in place where nobody else holds them.
    /// - Throws: ``RondoError`` when shapes do not fit.
    public mutating func callAsFunction(_ projection: Tensor, states: inout [Tensor]) throws {
        guard projection.shape == operands.projection.shape, states.count == cell.stateNames.count else {
            throw RondoError(
                .shapeMismatch,
                "RecurrentStep: needs a projection \(operands.projection.shape) and \(cell.stateNames.count) states; "
                    + "got \(projection.shape) and \(states.count)")
        }
        let projection = try projection.dense()
        defer { withExtendedLifetime(projection) {} }
        for index in states.indices { try states[index].mutateInPlace { _ in } }
        try slots.mutateInPlace { _ in }
        var layer = try description(projection)
        try prepareWorkspace(&layer)
        func address(_ index: Int) -> UnsafeMutableRawPointer? {
            index < states.count ? states[index].mutableBytes : nil
        }
        var pointers = (address(0), address(1), address(2), address(3))
        withUnsafeMutableBytes(of: &pointers) { bytes in
            rk_recurrent_forward(
                &layer, bytes.bindMemory(to: UnsafeRawPointer?.self).baseAddress,
                bytes.bindMemory(to: UnsafeMutableRawPointer?.self).baseAddress)
        }
    }

    private func description(_ projection: Tensor) throws -> rk_recurrent {
        var layer = rk_recurrent()
        layer.type = try projection.dtype.kernelType("RecurrentStep")
        layer.cell = cell.kernel
        (layer.time, layer.batch) = (1, Int64(extents.batch))
        (layer.heads, layer.width) = (Int64(extents.heads), Int64(extents.width))
        layer.projection = projection.bytes
        layer.projection_row = Int64(projection.shape[1])
        layer.projection_time = layer.projection_row * layer.batch
        layer.recurrent = operands.recurrent.bytes
        layer.extras = operands.extras?.bytes
        layer.bias = operands.bias?.bytes
        if let first = operands.zoneout.first {
            layer.zoneout = (first.bytes, operands.zoneout.count > 1 ? operands.zoneout[1].bytes : nil)
        }
        let slot = extents.batch * extents.units * projection.dtype.byteCount
        func address(_ index: Int) -> UnsafeMutableRawPointer? {
            index < cell.stateNames.count ? slots.mutableBytes + (index == 0 ? 0 : index + 1) * slot : nil
        }
        layer.states = (address(0), address(1), address(2), address(3))
        return layer
    }

    /// Makes room, and packs again when the room or the processor level is new.
    private mutating func prepareWorkspace(_ layer: inout rk_recurrent) throws {
        let needed = max(64, Int(rk_recurrent_workspace(&layer, false)))
        if workspace.byteCount < needed {
            workspace = try Tensor.uninitialized([needed], .int8)
            packedFor = nil
        }
        try workspace.mutateInPlace { layer.workspace = $0.baseAddress }
        layer.packed = packedFor == Runtime.instructionSet
        packedFor = Runtime.instructionSet
    }
}
