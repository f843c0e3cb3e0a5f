internal import CRondoKernels

/// Causal depthwise convolution: y[b, t, c] = bias[c] + Σₖ weight[c, k] x[b, t - (K - 1) + k, c].
///
/// Inputs: x `[batch, time, channels]`, weight `[channels, K]`, history `[batch, K - 1, channels]` (what came before
/// x), and optionally bias `[channels]`. Outputs: y, and the history for what comes after.
public struct CausalConvolution: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "causalConvolution"

    /// Creates the operation.
    public init() {}

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard (3...4).contains(inputs.count), inputs[0].rank == 3, inputs[1].rank == 2, inputs[1].shape[1] >= 1,
            inputs[1].shape[0] == inputs[0].shape[2],
            inputs[2].shape == [inputs[0].shape[0], inputs[1].shape[1] - 1, inputs[0].shape[2]],
            inputs.count == 3 || inputs[3].shape == [inputs[0].shape[2]],
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "causalConvolution: needs x [batch, time, channels], weight [channels, K], history [batch, K - 1, channels] and bias [channels] of one type; got \(inputs.map(\.shape))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// Shifted copies times the columns of the weight.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let (time, width) = (inputs[0].shape[1], inputs[1].shape[1])
        let padded = try Tensor.concatenate([inputs[2], inputs[0]], axis: 1)
        var y = try Tensor.zeros(inputs[0].shape, dtype: inputs[0].dtype)
        for tap in 0..<width {
            y = try y + padded.sliced(1, tap..<tap + time) * inputs[1].selecting(1, tap)
        }
        if inputs.count > 3 { y = try y + inputs[3] }
        return [y, try padded.sliced(1, time..<time + width - 1)]
    }

    /// Sequences and groups of channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let dense = try inputs.map { try $0.dense() }
        let y = try convolved(dense)
        let (x, history, time) = (dense[0], dense[2], dense[0].shape[1])
        let kept = history.shape[1]
        let tail = try Tensor.concatenate([history, x], axis: 1).sliced(1, time..<time + kept).contiguous()
        return FusedResult(outputs: [y, tail], saved: dense, retained: [])
    }

    /// The outputs, from dense inputs.
    private func convolved(_ dense: [Tensor]) throws -> Tensor {
        let (x, weight, history) = (dense[0], dense[1], dense[2])
        let bias = dense.count > 3 ? dense[3] : nil
        let type = try x.dtype.kernelType(Self.name)
        let (batch, time, channels) = (x.shape[0], x.shape[1], x.shape[2])
        let width = weight.shape[1]
        let y = try Tensor.uninitialized(x.shape, x.dtype)
        let size = x.dtype.byteCount
        forEachChannelBlock(batch, channels, work: time * width) { row, range in
            rk_causal_convolution(
                type, time, channels, width, range.lowerBound, range.upperBound, x.bytes + row * time * channels * size,
                history.bytes + row * (width - 1) * channels * size, weight.bytes, bias?.bytes,
                y.mutableBytes + row * time * channels * size)
        }
        return y
    }

    /// Every sequence adds to weight and bias gradients of its own, summed in order afterwards.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let (x, weight, history) = (context.saved[0], context.saved[1], context.saved[2])
        let type = try x.dtype.kernelType(Self.name)
        let (batch, time, channels) = (x.shape[0], x.shape[1], x.shape[2])
        let width = weight.shape[1]
        let g = try cotangents[0]?.dense() ?? Tensor.zeros(x.shape, dtype: x.dtype)
        var dx = try Tensor.uninitialized(x.shape, x.dtype)
        var dhistory = try Tensor.zeros(history.shape, dtype: x.dtype)
        let dweight = try Tensor.zeros([batch, channels, width], dtype: x.dtype)
        let dbias = try Tensor.zeros([batch, channels], dtype: x.dtype)
        let size = x.dtype.byteCount
        let (dxView, dhistoryView) = (dx, dhistory)
        forEachChannelBlock(batch, channels, work: 2 * time * width) { row, range in
            rk_causal_convolution_gradient(
                type, time, channels, width, range.lowerBound, range.upperBound, x.bytes + row * time * channels * size,
                history.bytes + row * (width - 1) * channels * size, weight.bytes,
                g.bytes + row * time * channels * size,
                dxView.mutableBytes + row * time * channels * size,
                dhistoryView.mutableBytes + row * (width - 1) * channels * size,
                dweight.mutableBytes + row * channels * width * size, dbias.mutableBytes + row * channels * size)
        }
        if let tail = cotangents[1] {
            let both = try tail.padded(1, before: time, after: 0)
            dhistory = try dhistory + both.sliced(1, 0..<width - 1)
            dx = try dx + both.sliced(1, width - 1..<width - 1 + time)
        }
        let gradients: [Tensor?] = [dx, try dweight.sum([0]), dhistory, try dbias.sum([0])]
        return Array(gradients.prefix(context.saved.count))
    }

    private func forEachChannelBlock(_ batch: Int, _ channels: Int, work: Int, _ body: (Int, Range<Int>) -> Void) {
        let block = 64
        let blocks = (channels + block - 1) / block
        parallelFor(batch * blocks, work: block * work) { index in
            let (row, part) = index.quotientAndRemainder(dividingBy: blocks)
            body(row, part * block..<min(channels, (part + 1) * block))
        }
    }
}
