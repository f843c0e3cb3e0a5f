internal import CRondoKernels

/// Leaky integrate-and-fire neurons along time: spiking activations with a surrogate derivative.
///
/// With the potential v of the position before,
///
///     h = v + (x - v) / τ,   s = 1 if h ≥ threshold else 0,   v = (1 - s) h
///
/// (Fang et al., *SpikingJelly*, 2023, the neuron with decayed input and reset to 0; Neftci, Mostafa and Zenke,
/// *Surrogate gradient learning in spiking neural networks*, 2019). The derivative of a spike by its potential, which is
/// 0 or does not exist, is replaced by that of σ(α (h - threshold)); none flows through the reset. So it is none of
/// the outputs, which jump: differences do not give it, and the reference is its definition.
///
/// Inputs: x `[batch, time, channels]` and the potentials before `[batch, channels]`. Outputs: spikes `[batch, time,
/// channels]`, which are 0 or 1 (NaN where the potential is), and the last potentials `[batch, channels]`.
public struct LeakyIntegrateAndFire: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "leakyIntegrateAndFire"
    /// The time constant τ in positions, at least 1.
    public var tau: Double
    /// The potential from which a neuron fires.
    public var threshold: Double
    /// The slope α of the surrogate: its derivative at the threshold is α / 4.
    public var sharpness: Double

    /// Creates the operation; the defaults are those of spiking LMUFormer.
    ///
    /// - Parameters:
    ///   - tau: The time constant in positions.
    ///   - threshold: The potential from which a neuron fires.
    ///   - sharpness: The slope of the surrogate.
    public init(tau: Double = 2, threshold: Double = 1, sharpness: Double = 4) {
        (self.tau, self.threshold, self.sharpness) = (tau, threshold, sharpness)
    }

    /// Refuses shapes that do not fit, and constants that make no neuron.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 2, inputs[0].rank == 3, inputs[1].shape == [inputs[0].shape[0], inputs[0].shape[2]],
            inputs[0].dtype == inputs[1].dtype
        else {
            throw RondoError(
                .shapeMismatch,
                "\(Self.name): needs x [batch, time, channels] and potentials [batch, channels] of one type; got \(inputs.map(\.shape)) of \(inputs.map(\.dtype.rawValue))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
        try requireValue(tau >= 1 && tau.isFinite, "tau", tau, "at least 1")
        // The rest at 0 must not fire.
        try requireValue(threshold > 0 && threshold.isFinite, "threshold", threshold, "above 0")
        try requireValue(sharpness > 0 && sharpness.isFinite, "sharpness", sharpness, "above 0")
    }

    /// What is kept of the potential, and what is taken of the input.
    private var rates: (keep: Double, gain: Double) { (1 - 1 / tau, 1 / tau) }

    /// Position by position; the surrogate is added and subtracted, so that only its derivative counts.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let (keep, gain) = rates
        var v = inputs[1]
        var spikes: [Tensor] = []
        let limit = try Tensor.full([], threshold, dtype: v.dtype)
        let zero = try Tensor.zeros([], dtype: v.dtype)
        for t in 0..<inputs[0].shape[1] {
            let h = try v * keep + inputs[0].selecting(1, t) * gain
            let fires = try h.detached().greaterOrEqual(to: limit)
            let surrogate = try ((h - threshold) * sharpness).sigmoid()
            spikes.append(try surrogate - surrogate.detached() + fires)
            v = try Tensor.select(fires, zero, h)
        }
        return [try spikes.isEmpty ? inputs[0] : Tensor.stack(spikes, axis: 1), v]
    }

    /// Sequences and blocks of channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let (x, initial) = (try ScanOperand(inputs[0]), try inputs[1].dense())
        let extents = ScanExtents(inputs[0])
        let type = try extents.dtype.kernelType(Self.name)
        let h = try Tensor.uninitialized(extents.sequenceShape, extents.dtype)
        let spikes = try Tensor.uninitialized(extents.sequenceShape, extents.dtype)
        let v = try initial.copied()
        let (keep, gain) = rates
        extents.forEachBlock { row, channels in
            rk_spiking_scan(
                type, extents.time, extents.channels, channels.lowerBound, channels.upperBound, extents.isLarge, keep,
                gain, threshold, x.bytes(row), x.time, extents.sequence(h, row), extents.sequence(spikes, row),
                extents.state(v, row))
        }
        return FusedResult(outputs: [spikes, v], saved: [h], retained: [])
    }

    /// From the end: through the surrogate of each spike, and through potentials that were not reset.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let h = context.saved[0]
        let extents = ScanExtents(h)
        let type = try extents.dtype.kernelType(Self.name)
        let g = try cotangents[0].map(ScanOperand.init)
        let dv = try extents.carry(cotangents[1])
        let dx = try Tensor.uninitialized(h.shape, extents.dtype)
        let (keep, gain) = rates
        extents.forEachBlock { row, channels in
            rk_spiking_scan_gradient(
                type, extents.time, extents.channels, channels.lowerBound, channels.upperBound, extents.isLarge, keep,
                gain, threshold, sharpness, extents.sequence(h, row), g?.bytes(row), g?.time ?? 0,
                extents.sequence(dx, row), extents.state(dv, row))
        }
        return [dx, dv]
    }
}
