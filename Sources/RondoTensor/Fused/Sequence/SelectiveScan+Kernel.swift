internal import CRondoKernels

extension SelectiveScan {
    /// Rows and blocks of channels side by side.
    ///
    /// Keeps the operands and the state before every chunk of positions.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let dense = try inputs.map { try $0.dense() }
        let extents = SelectiveScanExtents(dense)
        let type = try dense[0].dtype.kernelType(Self.name)
        let y = try Tensor.uninitialized(dense[0].shape, dense[0].dtype)
        let final = try Tensor.uninitialized(dense[6].shape, dense[0].dtype)
        let checkpoints = try Tensor.uninitialized(extents.checkpointShape, dense[0].dtype)
        var scan = extents.description(dense, checkpoints)
        scan.symmetric = isSymmetric ? 1 : 0
        (scan.y, scan.final) = (y.mutableBytes, final.mutableBytes)
        withUnsafePointer(to: scan) { scan in
            extents.forEachBlock { row, block in rk_selective_scan_forward(type, scan, row, block) }
        }
        return FusedResult(outputs: [y, final], saved: dense + [checkpoints], retained: [])
    }

    /// Every row has sums of its own for A and D, every block of channels for B and C; they are added in order.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let dense = Array(context.saved.prefix(7))
        let extents = SelectiveScanExtents(dense)
        let type = try dense[0].dtype.kernelType(Self.name)
        func fresh(_ shape: Shape) throws -> Tensor { try Tensor.uninitialized(shape, dense[0].dtype) }
        let (batch, time) = (extents.batch, extents.time)
        let (dx, ddt) = (try fresh(dense[0].shape), try fresh(dense[0].shape))
        let (da, dd) = (try fresh([batch] + dense[2].shape), try fresh([batch, extents.channels]))
        let shares: Shape = [extents.blocks, batch, time, extents.states]
        let (db, dc, dinitial) = (try fresh(shares), try fresh(shares), try fresh(dense[6].shape))
        let (dy, dfinal) = (try cotangents[0]?.dense(), try cotangents[1]?.dense())
        var scan = extents.description(dense, context.saved[7])
        scan.symmetric = isSymmetric ? 1 : 0
        let gradients = rk_selective_scan_gradients(
            dy: dy?.bytes, dfinal: dfinal?.bytes, dx: dx.mutableBytes, ddt: ddt.mutableBytes, da: da.mutableBytes,
            dd: dd.mutableBytes, db: db.mutableBytes, dc: dc.mutableBytes, dinitial: dinitial.mutableBytes)
        withExtendedLifetime((dy, dfinal)) {
            withUnsafePointer(to: scan) { scan in
                withUnsafePointer(to: gradients) { gradients in
                    extents.forEachBlock { row, block in rk_selective_scan_backward(type, scan, gradients, row, block) }
                }
            }
        }
        return [dx, ddt, try da.sum([0]), try db.sum([0]), try dc.sum([0]), try dd.sum([0]), dinitial]
    }
}

/// The sizes of a scan, and how it is cut into pieces.
private struct SelectiveScanExtents {
    let batch: Int
    let time: Int
    let channels: Int
    let states: Int
    /// Blocks of channels.
    let blocks: Int

    init(_ inputs: [Tensor]) {
        (batch, time, channels) = (inputs[0].shape[0], inputs[0].shape[1], inputs[0].shape[2])
        states = inputs[2].shape[1]
        let block = RK_SELECTIVE_CHANNELS
        blocks = (channels + block - 1) / block
    }

    var checkpointShape: Shape {
        let chunk = RK_SELECTIVE_CHUNK
        return [batch, blocks, (time + chunk - 1) / chunk, states, RK_SELECTIVE_CHANNELS]
    }

    func forEachBlock(_ body: (Int, Int) -> Void) {
        parallelFor(batch * blocks, work: 16 * time * states * Int(RK_SELECTIVE_CHANNELS)) { index in
            let (row, block) = index.quotientAndRemainder(dividingBy: blocks)
            body(row, block)
        }
    }

    /// All but y and the final state.
    func description(_ inputs: [Tensor], _ checkpoints: Tensor) -> rk_selective_scan {
        let all = SelectiveScanOperands(inputs)
        var scan = rk_selective_scan()
        (scan.batch, scan.time) = (Int64(batch), Int64(time))
        (scan.channels, scan.states) = (Int64(channels), Int64(states))
        (scan.x, scan.dt, scan.a) = (all.x.bytes, all.dt.bytes, all.a.bytes)
        (scan.b, scan.c, scan.d) = (all.b.bytes, all.c.bytes, all.d.bytes)
        scan.initial = all.state.bytes
        scan.checkpoints = checkpoints.mutableBytes
        return scan
    }
}
