import RondoNN
import RondoTensor

/// What DeltaNet and its gated and multi-step forms share: a key's old value is partly replaced by the new one.
///
/// One computation behind three names of the registry: ``DeltaNet`` has no decay, ``GatedDeltaNet`` has one,
/// ``DeltaProduct`` takes several steps a position.
protocol DeltaRuleMixer: TransitionReporting {
    var layer: DeltaRuleLayer { get set }
}

/// The range of a transition's eigenvalues.
public enum EigenvalueRange: String, Codable, Sendable, CaseIterable {
    /// 0 to 1; of the delta rule β = σ(·).
    case positive
    /// -1 to 1, which lets a state turn over, as tracking parity needs; of the delta rule β = 2 σ(·).
    case symmetric
}

/// The shape that delta-rule layers share.
struct DeltaRuleShape {
    var heads: Int
    var keyWidth: Int
    var valueWidth: Int
    var convWidth: Int
    var range: EigenvalueRange
    /// Updates of the state at each position.
    var steps: Int
    var isGated: Bool
    /// Whether the output is gated.
    var hasOutputGate: Bool
    /// The number of heads of values, each group of which shares queries and keys; as many as those if `nil`.
    var sharingHeads: Int?
    /// Added to the mean square of a head's output.
    var normEpsilon = 1e-5

    /// The number of states.
    var valueHeads: Int { sharingHeads ?? heads }

    func validate(dModel: Int) throws {
        try requireValue(heads >= 1, "heads", heads, "at least 1")
        try requireValue(
            keyWidth >= 1 && keyWidth % heads == 0, "expand_key", "(width \(keyWidth))",
            "such that heads divide the width")
        try requireValue(
            valueHeads >= 1 && valueHeads % heads == 0, "value_heads", valueHeads, "a multiple of heads (\(heads))")
        try requireValue(
            valueWidth >= 1 && valueWidth % valueHeads == 0, "expand_value", "(width \(valueWidth))",
            "such that heads divide the width")
        try requireValue(normEpsilon > 0 && normEpsilon < 1, "norm_epsilon", normEpsilon, "above 0 and below 1")
        try requireValue((0...1024).contains(convWidth), "conv_width", convWidth, "from 0 (none) to 1024")
        try requireValue((1...64).contains(steps), "steps", steps, "from 1 to 64")
    }
}

/// The parameters and the computation of delta-rule layers.
struct DeltaRuleLayer: Module {
    let shape: DeltaRuleShape
    /// To queries, then keys and values of every step, then the output gate if there is one.
    var input: Linear
    /// Over queries, keys and values.
    var conv: ShortConvolution?
    /// To β of every step, then the decay's step size, for each head.
    var rates: Linear
    /// log of the decays' speeds, `[H]`, if gated (H: heads of values).
    var aLog: Tensor?
    /// Offsets of the decays' step sizes, `[H]`, if gated.
    var timeStepBias: Tensor?
    var norm: HeadNorm
    var output: Linear

    init(_ shape: DeltaRuleShape, dModel: Int, dtype: DType, using generator: inout Generator) throws {
        try shape.validate(dModel: dModel)
        self.shape = shape
        let mixed = shape.keyWidth + shape.steps * (shape.keyWidth + shape.valueWidth)
        input = try Linear(
            inputSize: dModel, outputSize: mixed + (shape.hasOutputGate ? shape.valueWidth : 0), bias: false,
            dtype: dtype, using: &generator)
        conv =
            try shape.convWidth == 0
            ? nil
            : ShortConvolution(channels: mixed, width: shape.convWidth, bias: false, dtype: dtype, using: &generator)
        rates = try Linear(
            inputSize: dModel, outputSize: shape.valueHeads * (shape.steps + (shape.isGated ? 1 : 0)), bias: false,
            dtype: dtype, using: &generator)
        if shape.isGated {
            aLog = try generator.uniform([shape.valueHeads], low: 1, high: 16, dtype: dtype).log()
            timeStepBias = try TimeStep.bias(shape.valueHeads, dtype: dtype, using: &generator)
        }
        norm = try HeadNorm(
            .rms, heads: shape.valueHeads, width: shape.valueWidth / shape.valueHeads, isShared: true,
            epsilon: shape.normEpsilon, dtype: dtype)
        output = try Linear(
            inputSize: shape.valueWidth, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    func initialState(batch: Int) throws -> MixerState {
        let (keys, values) = (shape.keyWidth / shape.heads, shape.valueWidth / shape.valueHeads)
        let size: Shape = [batch, shape.valueHeads, keys, values]
        let zeros = try Tensor.zeros(size, dtype: input.weight.dtype.computationType)
        guard let conv else { return MixerState(batch: batch, ["s": zeros]) }
        return MixerState(batch: batch, ["s": zeros, "conv": try conv.initialHistory(batch: batch)])
    }

    /// What the recurrence reads of some positions `[..., D]`.
    struct Parts {
        /// `[..., H, K]`, unit vectors times 1 / √K.
        var q: Tensor
        /// `[..., H, K]` of every step, unit vectors.
        var k: [Tensor]
        /// `[..., H, V]` of every step.
        var v: [Tensor]
        /// `[..., H]` of every step.
        var beta: [Tensor]
        /// `[..., H]`.
        var logDecay: Tensor?
        /// `[..., H V]`.
        var gate: Tensor?
    }

    /// Maps positions, with the short convolution of a chunk or of a position.
    func parts(_ x: Tensor, convolve: (Tensor) throws -> Tensor) throws -> Parts {
        let all = try input(x)
        let (key, value, heads) = (shape.keyWidth, shape.valueWidth, shape.valueHeads)
        let mixed = key + shape.steps * (key + value)
        let own = try convolve(all.channels(0..<mixed)).silu()
        let scale = 1 / Double(key / shape.heads).squareRoot()
        var offset = 0
        func next(_ width: Int, heads: Int) throws -> Tensor {
            defer { offset += width }
            return try own.channels(offset..<offset + width).splittingHeads(heads)
        }
        func nextUnits() throws -> Tensor {
            try next(key, heads: shape.heads).unitVectors().repeatingHeads(heads / shape.heads)
        }
        let query = try nextUnits() * scale
        let keys = try (0..<shape.steps).map { _ in try nextUnits() }
        let values = try (0..<shape.steps).map { _ in try next(value, heads: heads) }
        let raw = try rates(x)
        let factor = shape.range == .symmetric ? 2.0 : 1
        let beta = try (0..<shape.steps).map {
            try raw.channels($0 * heads..<($0 + 1) * heads).sigmoid() * factor
        }
        return Parts(
            q: query, k: keys, v: values, beta: beta, logDecay: try logDecay(raw),
            gate: try shape.hasOutputGate ? all.channels(mixed..<mixed + value).silu() : nil)
    }

    private func logDecay(_ raw: Tensor) throws -> Tensor? {
        guard let aLog, let timeStepBias else { return nil }
        let start = shape.steps * shape.valueHeads
        let steps = try (raw.channels(start..<start + shape.valueHeads) + timeStepBias).softplus()
        return try -(steps * aLog.exp())
    }

    /// By what the part of S along the key is multiplied, for each step and head, `[batch, time, steps heads]`.
    func factorsAlongKeys(_ x: Tensor, state: MixerState) throws -> Tensor {
        var state = state
        let parts = try parts(x) { try conv?($0, history: &state["conv"]) ?? $0 }
        let factors = try parts.beta.enumerated().map { step, beta in
            guard step == 0, let logDecay = parts.logDecay else { return try 1 - beta }
            return try (1 - beta) * logDecay.exp()
        }
        return try Tensor.concatenate(factors, axis: -1)
    }

    private func outputs(_ o: Tensor, gate: Tensor?) throws -> Tensor {
        let read = try norm(o).joiningHeads()
        return try output(gate.map { try read * $0 } ?? read)
    }

    /// Chunk by chunk as products of matrices.
    func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        guard x.shape[1] > 0 else { return x }
        let parts = try parts(x) { try conv?($0, history: &state["conv"]) ?? $0 }
        let result: (output: Tensor, state: Tensor)
        if shape.steps == 1 {
            result = try DeltaRule.delta(
                q: parts.q, k: parts.k[0], v: parts.v[0], beta: parts.beta[0], logDecay: parts.logDecay,
                state: state["s"])
        } else {
            result = try manySteps(parts, state: state["s"])
        }
        state["s"] = result.state
        state.advance(by: x.shape[1])
        return try outputs(result.output, gate: parts.gate)
    }

    /// Every position becomes as many: the decay acts at the first of them, the last one is read.
    private func manySteps(_ parts: Parts, state: Tensor) throws -> (output: Tensor, state: Tensor) {
        let count = shape.steps
        func interleaved(_ tensors: [Tensor]) throws -> Tensor {
            let stacked = try Tensor.stack(tensors, axis: 2)
            return try stacked.reshaped([stacked.shape[0], stacked.shape[1] * count] + stacked.shape.dropFirst(3))
        }
        let silent = try Tensor.zeros(parts.q.shape, dtype: parts.q.dtype)
        let logDecay = try parts.logDecay.map { g in
            try interleaved([g] + Array(repeating: Tensor.zeros(g.shape, dtype: g.dtype), count: count - 1))
        }
        let all = try DeltaRule.delta(
            q: interleaved(Array(repeating: silent, count: count - 1) + [parts.q]), k: interleaved(parts.k),
            v: interleaved(parts.v), beta: interleaved(parts.beta), logDecay: logDecay, state: state)
        return (try all.output.sliced(1, count - 1..<all.output.shape[1], step: count), all.state)
    }

    /// One position, S in place; `conv` is the stepper of the convolution.
    func step(_ x: Tensor, conv: CausalConvolutionStep?, state: inout MixerState) throws -> Tensor {
        let parts = try parts(x) { try conv?($0, history: &state["conv"]) ?? $0 }
        var read = parts.q
        for step in 0..<shape.steps {
            read = try DeltaRule.deltaStep(
                q: parts.q, k: parts.k[step], v: parts.v[step], beta: parts.beta[step],
                logDecay: step == 0 ? parts.logDecay : nil, state: &state["s"])
        }
        return try outputs(read, gate: parts.gate)
    }

    /// One position by the equations.
    func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let parts = try parts(x) { try conv?.reference($0, history: &state["conv"]) ?? $0 }
        for step in 0..<shape.steps {
            try DeltaRuleEquations.update(
                k: parts.k[step], v: parts.v[step], beta: parts.beta[step],
                decay: step == 0 ? parts.logDecay?.exp() : nil, state: &state["s"])
        }
        return try outputs(DeltaRuleEquations.read(parts.q, state["s"]), gate: parts.gate)
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try conv.forEachParameter(under: "conv", visit)
        try rates.forEachParameter(under: "rates", visit)
        try aLog.visit("a_log", visit)
        try timeStepBias.visit("time_step_bias", visit)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

extension DeltaRuleMixer {
    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState { try layer.initialState(batch: batch) }

    /// Chunk by chunk as products of matrices.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        return try layer.chunk(x, state: &state)
    }

    /// One pass over S in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let conv = try layer.conv?.makeStepper()
        return stepper(batch: batch) { [layer] x, state in try layer.step(x, conv: conv, state: &state) }
    }

    /// Of each head and step the factor along the key: 1 - β, times the decay.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try requireInput(x, state: state)
        return try ComplexTensor(real: layer.factorsAlongKeys(x, state: state))
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { try layer.reference($0, state: &$1) }
    }

    /// Visits `input`, `conv`, `rates`, `a_log`, `time_step_bias`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try layer.forEachParameter(visit)
    }
}
