internal import CRondoKernels

/// Causal convolution with a kernel as long as the sequence: y[b, t, c] = Σ_{l ≤ t} kernel[c, l] u[b, t - l, c].
///
/// What structured state spaces (Gu, Goel, Ré: *Efficiently Modeling Long Sequences with Structured State Spaces*,
/// 2021, section 3) and implicit convolutions (Poli et al.: *Hyena Hierarchy*, 2023) are trained with. Time and memory
/// grow as T log T and T: kernels go through fast Fourier transforms.
///
/// Inputs: u `[batch, time, channels]` and kernel `[channels, taps]` with any `taps` ≥ 1, of which the first `time`
/// matter. Output: y `[batch, time, channels]`. The derivative keeps the inputs only and transforms them again.
public struct LongConvolution: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "longConvolution"

    /// Creates the operation.
    public init() {}

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 2, inputs[0].rank == 3, inputs[1].rank == 2, inputs[1].shape[0] == inputs[0].shape[2],
            inputs[1].shape[1] >= 1, inputs[0].dtype == inputs[1].dtype
        else {
            throw RondoError(
                .shapeMismatch,
                "longConvolution: needs u [batch, time, channels] and kernel [channels, taps], taps ≥ 1, of one type; got \(inputs.map(\.shape))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// The sum over taps of shifted copies times the kernel's columns.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let (u, kernel) = (inputs[0], inputs[1])
        let time = u.shape[1]
        var y = try Tensor.zeros(u.shape, dtype: u.dtype)
        for tap in 0..<min(time, kernel.shape[1]) {
            let shifted = try u.sliced(1, 0..<time - tap).padded(1, before: tap, after: 0)
            y = try y + shifted * kernel.selecting(1, tap)
        }
        return [y]
    }

    /// The spectra of all kernels, then sequences and blocks of channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let (u, kernel) = (try inputs[0].dense(), try inputs[1].dense())
        let y = try Tensor.uninitialized(u.shape, u.dtype)
        if u.count > 0 {
            let blocks = try ChannelBlocks(u, kernel)
            let spectra = try blocks.spectra(of: kernel)
            parallelFor(blocks.count * u.shape[0]) { index in
                let (row, block) = index.quotientAndRemainder(dividingBy: blocks.count)
                rk_long_convolution(
                    blocks.type, blocks.time, blocks.channels, blocks.size(block), blocks.part(block, of: spectra),
                    blocks.sequence(row, block, of: u), blocks.sequence(row, block, of: y))
            }
        }
        return FusedResult(outputs: [y], saved: [u, kernel], retained: [])
    }

    /// Correlations of the cotangent with kernel and input.
    ///
    /// The kernel's gradient is summed over runs of sequences, and those sums in order.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = try cotangents[0]?.dense() else { return [nil, nil] }
        let (u, kernel) = (context.saved[0], context.saved[1])
        guard u.count > 0 else {
            return [try Tensor.zeros(u.shape, dtype: u.dtype), try Tensor.zeros(kernel.shape, dtype: u.dtype)]
        }
        let blocks = try ChannelBlocks(u, kernel)
        let runs = min(u.shape[0], max(1, Self.tasks / blocks.count))
        let spectra = try blocks.spectra(of: kernel)
        let du = context.wanted[0] ? try Tensor.uninitialized(u.shape, u.dtype) : nil
        let sums = context.wanted[1] ? try Tensor.uninitialized([runs * blocks.count, blocks.elements], u.dtype) : nil
        parallelFor(blocks.count * runs) { index in
            let (run, block) = index.quotientAndRemainder(dividingBy: blocks.count)
            let rows = u.shape[0] * run / runs..<u.shape[0] * (run + 1) / runs
            for row in rows {
                rk_long_convolution_gradient(
                    blocks.type, blocks.time, blocks.channels, blocks.size(block), row > rows.lowerBound,
                    blocks.part(block, of: spectra), blocks.sequence(row, block, of: u),
                    blocks.sequence(row, block, of: g), du.map { blocks.sequence(row, block, of: $0) },
                    sums.map { blocks.part(index, of: $0) })
            }
        }
        return [du, try sums.map { try blocks.kernelGradient($0, runs: runs, like: kernel) }]
    }

    /// Pieces of work to aim at when a sum over sequences is cut into runs: few, as each keeps a spectrum.
    private static let tasks = 8
}

/// How channels are cut into the blocks that kernels work on.
private struct ChannelBlocks {
    let type: rk_type
    let (time, channels, taps): (Int, Int, Int)
    /// Channels of a full block.
    let lanes: Int
    /// Elements of a block's spectrum.
    let elements: Int
    let byteCount: Int

    init(_ u: Tensor, _ kernel: Tensor) throws {
        type = try u.dtype.kernelType(LongConvolution.name)
        (time, channels, taps) = (u.shape[1], u.shape[2], kernel.shape[1])
        byteCount = u.dtype.byteCount
        var (lanes, elements) = (0, 0)
        rk_long_convolution_layout(type, time, &lanes, &elements)
        (self.lanes, self.elements) = (lanes, elements)
    }

    var count: Int { (channels + lanes - 1) / lanes }

    /// Channels of a block.
    func size(_ block: Int) -> Int { min(lanes, channels - block * lanes) }

    /// A block's spectrum among several.
    func part(_ block: Int, of spectra: Tensor) -> UnsafeMutableRawPointer {
        spectra.mutableBytes + block * elements * byteCount
    }

    /// Where a block of one sequence of a tensor `[batch, time, channels]` begins.
    func sequence(_ row: Int, _ block: Int, of x: Tensor) -> UnsafeMutableRawPointer {
        x.mutableBytes + (row * time * channels + block * lanes) * byteCount
    }

    /// Where the rows of a block of a tensor `[channels, taps]` begin.
    private func rows(_ block: Int, of kernel: Tensor) -> UnsafeMutableRawPointer {
        kernel.mutableBytes + block * lanes * taps * byteCount
    }

    func spectra(of kernel: Tensor) throws -> Tensor {
        let spectra = try Tensor.uninitialized([count, elements], kernel.dtype)
        parallelFor(count) { block in
            rk_long_convolution_spectrum(
                type, time, taps, size(block), rows(block, of: kernel), part(block, of: spectra))
        }
        return spectra
    }

    func kernelGradient(_ sums: Tensor, runs: Int, like kernel: Tensor) throws -> Tensor {
        let gradient = try Tensor.uninitialized(kernel.shape, kernel.dtype)
        parallelFor(count) { block in
            rk_long_convolution_taps(
                type, time, taps, size(block), runs, count * elements, part(block, of: sums), rows(block, of: gradient))
        }
        return gradient
    }
}
