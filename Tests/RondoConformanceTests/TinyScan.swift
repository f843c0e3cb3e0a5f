import RondoTensor

/// h[t] = a ⊙ h[t-1] + u[t], with a kernel and a derivative written by hand, both of which can be made wrong.
///
/// Inputs: u `[batch, time, width]`, a `[width]`, h before `[batch, width]`. Outputs: h of every position, the last h.
struct TinyScan: CPUFusedOperation {
    static let name = "tinyScan"

    /// Keeps float32's h in bfloat16 between positions.
    var roundsState = false
    /// Takes h[t] instead of h[t-1] for the derivative of a.
    var hasWrongDerivative = false

    func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 3, inputs[0].rank == 3, inputs[1].shape == [inputs[0].shape[2]],
            inputs[2].shape == [inputs[0].shape[0], inputs[0].shape[2]],
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else { throw RondoError(.shapeMismatch, "tinyScan: got \(inputs.map(\.shape))") }
    }

    func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        guard inputs[0].shape[1] > 0 else { return [inputs[0], inputs[2]] }
        var h = inputs[2]
        let outputs = try (0..<inputs[0].shape[1]).map { time in
            h = try inputs[0].selecting(1, time) + inputs[1] * h
            if roundsState, h.dtype == .float32 {
                // Rounding has no derivative; the kernel's passes it by, and so does this.
                h = try h + (h.detached().cast(to: .bfloat16).cast(to: .float32) - h.detached())
            }
            return h
        }
        return [try Tensor.stack(outputs, axis: 1), h]
    }

    func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let outputs = try inputs[0].dtype == .float64 ? run(inputs, Double.self) : run(inputs, Float.self)
        return FusedResult(outputs: outputs)
    }

    func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        try context.inputs[0].dtype == .float64
            ? derivative(context, cotangents, Double.self) : derivative(context, cotangents, Float.self)
    }

    private func run<Element: TinyElement>(_ inputs: [Tensor], _ type: Element.Type) throws -> [Tensor] {
        let (batch, time, width) = (inputs[0].shape[0], inputs[0].shape[1], inputs[0].shape[2])
        let a = try inputs[1].array(of: type)
        var (h, state) = (try inputs[0].array(of: type), try inputs[2].array(of: type))
        for row in 0..<batch {
            for position in 0..<time {
                for channel in 0..<width {
                    let (index, place) = ((row * time + position) * width + channel, row * width + channel)
                    let next = h[index] + a[channel] * state[place]
                    state[place] = roundsState ? next.roundedAsState : next
                    h[index] = state[place]
                }
            }
        }
        return [try Tensor(h, shape: inputs[0].shape), try Tensor(state, shape: inputs[2].shape)]
    }

    private func derivative<Element: TinyElement>(
        _ context: FusedContext, _ cotangents: [Tensor?], _ type: Element.Type
    ) throws -> [Tensor?] {
        let shape = context.inputs[0].shape
        let (batch, time, width) = (shape[0], shape[1], shape[2])
        let (a, before) = (try context.inputs[1].array(of: type), try context.inputs[2].array(of: type))
        let h = try context.outputs[0].array(of: type)
        var du = try cotangents[0]?.array(of: type) ?? [Element](repeating: 0, count: h.count)
        var running = try cotangents[1]?.array(of: type) ?? [Element](repeating: 0, count: before.count)
        var da = [Element](repeating: 0, count: width)
        for row in 0..<batch {
            for position in (0..<time).reversed() {
                for channel in 0..<width {
                    let (index, place) = ((row * time + position) * width + channel, row * width + channel)
                    running[place] += du[index]
                    du[index] = running[place]
                    let previous = position > 0 ? h[index - width] : before[place]
                    da[channel] += running[place] * (hasWrongDerivative ? h[index] : previous)
                    running[place] *= a[channel]
                }
            }
        }
        return [
            try Tensor(du, shape: shape), try Tensor(da, shape: [width]),
            try Tensor(running, shape: context.inputs[2].shape),
        ]
    }
}

/// The element types of ``TinyScan``.
protocol TinyElement: TensorElement, BinaryFloatingPoint {
    /// What a kernel that keeps its state in bfloat16 would go on with.
    var roundedAsState: Self { get }
}

extension Float: TinyElement {
    /// To the nearest bfloat16, ties to even.
    var roundedAsState: Float {
        Float(bitPattern: (bitPattern + 0x7FFF + ((bitPattern >> 16) & 1)) & 0xFFFF_0000)
    }
}

extension Double: TinyElement {
    var roundedAsState: Double { self }
}
