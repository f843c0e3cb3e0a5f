import RondoConformance
import RondoMixers
import RondoNN
import RondoTensor

/// All faults, by which the laws are measured.
enum PlantedFaults {
    static let all: [any PlantedFault.Type] = [
        NoFault.self, DropsState.self, ForgetsMomentum.self, EmptyChunkDecays.self, StepSkipsBias.self,
        ParallelSkipsBias.self, SkipsFirstBias.self, WrongDerivative.self, WrongSurrogate.self, JumpsWithoutState.self,
        PeeksAhead.self, MasksByMultiplying.self,
        MixesRows.self, SharesMemory.self, StepperRemembers.self, NamesTwice.self, SeededByProcess.self,
        TakesRowsAsEqual.self, BFloat16State.self, GrowsUndeclared.self, KeepsEveryStep.self, HiddenTensor.self,
        IgnoresLastInput.self, DependsOnThreads.self, Overflows.self,
    ]

    static func named(_ name: String) throws -> any PlantedFault.Type {
        guard let fault = all.first(where: { $0.name == name }) else { throw RondoError(.notFound, name) }
        return fault
    }
}

/// The correct mixer.
enum NoFault: PlantedFault {
    static let breaks: Set<Law> = []
}

// MARK: - State

/// Every chunk begins anew, in the equations too, so that only the pieces disagree with the whole.
///
/// All laws that compare pieces with a whole must fail, as pieces are what a state is for; so must `width`, because
/// nothing of the state counts. `precision` and `extremes` read long sequences in pieces.
enum DropsState: PlantedFault {
    static let breaks: Set<Law> = [
        .split, .step, .gradients, .documents, .padding, .precision, .width, .extremes,
    ]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try dropping(x, &state) { try mixer.chunk(x, state: &$0) }
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try dropping(x, &state) { try mixer.reference(x, state: &$0) }
    }

    private static func dropping(
        _ x: Tensor, _ state: inout MixerState, _ body: (inout MixerState) throws -> Tensor
    ) throws -> Tensor {
        // An empty chunk gives back what it got, or that would be a second fault.
        if x.shape[1] > 0 { for leaf in 0..<2 { state[leaf] = try state[leaf].detached() * 0 } }
        return try body(&state)
    }
}

/// The momentum is no leaf of the state: every chunk begins with none, in the equations too.
///
/// The laws of pieces again, as for ``DropsState``; but what is left of the state counts.
enum ForgetsMomentum: PlantedFault {
    static let breaks: Set<Law> = [.split, .step, .gradients, .documents, .padding, .precision, .extremes]

    static func initialState(_ mixer: TinyRecurrence, batch: Int) throws -> MixerState {
        MixerState(batch: batch, ["h": try mixer.initialState(batch: batch)["h"]])
    }

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try with(mixer, &state) { try mixer.chunk(x, state: &$0) }
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try with(mixer, &state) { try mixer.reference(x, state: &$0) }
    }

    private static func with(
        _ mixer: TinyRecurrence, _ state: inout MixerState, _ body: (inout MixerState) throws -> Tensor
    ) throws -> Tensor {
        var full = try mixer.initialState(batch: state.batch)
        full["h"] = state["h"]
        let y = try body(&full)
        state["h"] = full["h"]
        state.positions = state.positions.map { $0 + y.shape[1] }
        return y
    }
}

/// A chunk of no positions changes the state.
///
/// It is one piece of `split`, and a row of nothing but `padding`.
enum EmptyChunkDecays: PlantedFault {
    static let breaks: Set<Law> = [.split, .padding]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        if x.shape[1] == 0 { state["h"] = try state["h"] * 0.5 }
        return try mixer.chunk(x, state: &state)
    }
}

/// Leaves of one name: files cannot tell them apart.
///
/// The other process gets its state through a file too.
enum NamesTwice: PlantedFault {
    static let breaks: Set<Law> = [.roundTrip, .process]

    static func initialState(_ mixer: TinyRecurrence, batch: Int) throws -> MixerState {
        let state = try mixer.initialState(batch: batch)
        return MixerState(batch: batch, ["h": state[0], "h": state[1]])
    }
}

/// Something of the process enters the results, here the seed of hash values, as the order of a `Set` would.
enum SeededByProcess: PlantedFault {
    static let breaks: Set<Law> = [.process]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.chunk(x, state: &state) + offset
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.reference(x, state: &state) + offset
    }

    private static var offset: Double { Double("rondo".hashValue & 0xFFFF) / 0x10000 }
}

/// States are kept in bfloat16 between positions, in the equations too, so that all forms agree.
enum BFloat16State: PlantedFault {
    static let breaks: Set<Law> = [.precision]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.run(x, state: &state, scan: TinyScan(roundsState: true))
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.run(x, state: &state, scan: TinyScan(roundsState: true), mode: .reference)
    }
}

/// Keeps all inputs in the state, and says that the state is constant.
enum GrowsUndeclared: PlantedFault {
    static let breaks: Set<Law> = [.memory]
    static let needsEqualPositions = true

    static func initialState(_ mixer: TinyRecurrence, batch: Int) throws -> MixerState {
        let state = try mixer.initialState(batch: batch)
        let none = try Tensor.zeros([batch, 0, mixer.dModel], dtype: mixer.decay.dtype)
        return MixerState(batch: batch, ["m": state[0], "h": state[1]], growing: ["history": none])
    }

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        state["history"] = try Tensor.concatenate([state["history"], x], axis: 1)
        return try mixer.chunk(x, state: &state)
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        state["history"] = try Tensor.concatenate([state["history"], x], axis: 1)
        return try mixer.reference(x, state: &state)
    }
}

// MARK: - Forms

/// Steps without the bias.
///
/// The other laws do not use the stepper, or compare it with itself.
enum StepSkipsBias: PlantedFault {
    static let breaks: Set<Law> = [.step]

    struct Stepper: MixerStepper {
        let mixer: TinyRecurrence

        func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
            try mixer.run(x.expanded(at: 1), state: &state) { try $0.matmul(mixer.input.weight.transposed()) }
                .squeezed(1)
        }
    }

    static func makeStepper(_ mixer: TinyRecurrence, batch: Int) throws -> any MixerStepper { Stepper(mixer: mixer) }
}

/// Whole sequences without the bias.
enum ParallelSkipsBias: PlantedFault {
    static let breaks: Set<Law> = [.parallel]

    static func parallel(_ mixer: TinyRecurrence, _ x: Tensor) throws -> Tensor {
        var state = try mixer.initialState(batch: x.shape[0])
        return try mixer.run(x, state: &state) { try $0.matmul(mixer.input.weight.transposed()) }
    }
}

/// Row by row, the first position of all is read without the bias; the equations know better.
enum SkipsFirstBias: PlantedFault {
    static let breaks: Set<Law> = [.reference]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        let isFirst = try Tensor(state.positions.map { Float($0 == 0 ? 1 : 0) }, shape: [state.batch, 1, 1])
        return try mixer.run(x, state: &state) { x in
            guard x.shape[1] > 0, let bias = mixer.input.bias else { return try mixer.input(x) }
            let drive = try mixer.input(x)
            let first = try drive.sliced(1, 0..<1) - bias * isFirst.cast(to: x.dtype)
            return try Tensor.concatenate([first, drive.sliced(1, 1..<x.shape[1])], axis: 1)
        }
    }
}

/// The kernel's derivative of a takes h where it should take h⁻.
enum WrongDerivative: PlantedFault {
    static let breaks: Set<Law> = [.gradients]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.run(x, state: &state, scan: TinyScan(hasWrongDerivative: true))
    }
}

/// A wrong derivative of a mixer that says it has thresholds, so that differences are no measure: the equations are.
enum WrongSurrogate: PlantedFault {
    static let breaks = WrongDerivative.breaks
    static var hasThresholds: Bool { true }

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try WrongDerivative.chunk(mixer, x, &state)
    }
}

/// ``DropsState`` of a mixer that says it has thresholds, with which one value in a thousand may differ.
///
/// Of the 100,000 positions of `extremes` so few follow the beginning of a piece that they pass as jumps.
enum JumpsWithoutState: PlantedFault {
    static let breaks = DropsState.breaks.subtracting([.extremes])
    static var hasThresholds: Bool { true }

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try DropsState.chunk(mixer, x, &state)
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try DropsState.reference(mixer, x, &state)
    }
}

/// The stepper changes the state where it lies, whoever else looks at that memory.
enum SharesMemory: PlantedFault {
    static let breaks: Set<Law> = [.fork]

    struct Stepper: MixerStepper {
        let mixer: TinyRecurrence

        func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
            var after = state
            let y = try mixer.chunk(x.expanded(at: 1), state: &after).squeezed(1)
            for leaf in 0..<2 {
                try state[leaf].withUnsafeBytes { target in
                    let target = UnsafeMutableRawBufferPointer(mutating: target)
                    try after[leaf].withUnsafeBytes { target.copyMemory(from: $0) }
                }
            }
            state.advance(by: 1)
            return y
        }
    }

    static func makeStepper(_ mixer: TinyRecurrence, batch: Int) throws -> any MixerStepper { Stepper(mixer: mixer) }
}

/// A stepper goes on from where it was, not from the state that it is given, and its copies share the memory of that.
///
/// `step` begins with a new stepper and does not notice.
enum StepperRemembers: PlantedFault {
    static let breaks: Set<Law> = [.fork]

    final class Box: @unchecked Sendable {
        var state: MixerState?
    }

    struct Stepper: MixerStepper {
        let mixer: TinyRecurrence
        let box = Box()

        func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
            var own = box.state ?? state
            let y = try mixer.chunk(x.expanded(at: 1), state: &own).squeezed(1)
            box.state = own
            state = own
            return y
        }
    }

    static func makeStepper(_ mixer: TinyRecurrence, batch: Int) throws -> any MixerStepper { Stepper(mixer: mixer) }
}

/// The stepper keeps every input.
enum KeepsEveryStep: PlantedFault {
    static let breaks: Set<Law> = [.memory]

    struct Stepper: MixerStepper {
        let mixer: TinyRecurrence
        var kept: [Tensor] = []

        mutating func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
            kept.append(try x.copied())
            return try mixer.chunk(x.expanded(at: 1), state: &state).squeezed(1)
        }
    }

    static func makeStepper(_ mixer: TinyRecurrence, batch: Int) throws -> any MixerStepper { Stepper(mixer: mixer) }
}

// MARK: - Past, rows, width

/// Every position sees a little of the next, except the last of a chunk, which has none.
///
/// So the laws of pieces fail too. `fork`, `rows` and `parallel` compare like with like.
enum PeeksAhead: PlantedFault {
    static let breaks: Set<Law> = [
        .split, .step, .gradients, .causality, .documents, .padding, .precision, .extremes,
    ]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.chunk(peeking(x, by: 0.1), state: &state)
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.reference(peeking(x, by: 0.1), state: &state)
    }

    static func peeking(_ x: Tensor, by amount: Double) throws -> Tensor {
        guard x.shape[1] > 1 else { return x }
        return try x + x.sliced(1, 1..<x.shape[1]).padded(1, before: 0, after: 1) * amount
    }
}

/// The future is masked by a factor of zero, which lets NaN and infinity through, and only them.
enum MasksByMultiplying: PlantedFault {
    static let breaks: Set<Law> = [.causality]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.chunk(PeeksAhead.peeking(x, by: 0), state: &state)
    }
}

/// Rows see the mean of all rows.
///
/// `documents` and `padding` take rows apart to read them alone.
enum MixesRows: PlantedFault {
    static let breaks: Set<Law> = [.rows, .documents, .padding]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.chunk(x - x.mean([0], keepingAxes: true) * 0.5, state: &state)
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.reference(x - x.mean([0], keepingAxes: true) * 0.5, state: &state)
    }
}

/// Depends on the position, which it takes from the first row for all: wrong where documents or padding set rows apart.
enum TakesRowsAsEqual: PlantedFault {
    static let breaks: Set<Law> = [.documents, .padding]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        let marked = try x + marks(x, from: state.positions[0])
        return try mixer.chunk(marked, state: &state)
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        let marked = try x + marks(x, from: state.positions[0])
        return try mixer.reference(marked, state: &state)
    }

    private static func marks(_ x: Tensor, from first: Int) throws -> Tensor {
        let values = (0..<x.shape[1]).map { Double((first + $0) % 7) / 8 }
        return try Tensor(values, shape: [1, x.shape[1], 1]).cast(to: x.dtype)
    }
}

/// Holds a tensor that nobody visits: neither trained nor saved.
enum HiddenTensor: PlantedFault {
    static let breaks: Set<Law> = [.width]

    static func hiddenTensor(_ dtype: DType) throws -> Tensor? { try Tensor.ones([1], dtype: dtype) }
}

/// The last channel of the input does not count, in the equations either: a loop that stops one short.
enum IgnoresLastInput: PlantedFault {
    static let breaks: Set<Law> = [.width]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.chunk(shortened(x), state: &state)
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.reference(shortened(x), state: &state)
    }

    private static func shortened(_ x: Tensor) throws -> Tensor {
        try x.sliced(2, 0..<x.shape[2] - 1).padded(2, before: 0, after: 1)
    }
}

/// Sums W x in as many parts as there are threads.
enum DependsOnThreads: PlantedFault {
    static let breaks: Set<Law> = [.threads]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.run(x, state: &state) { x in
            let (width, parts) = (x.shape[2], min(Runtime.threadCount, x.shape[2]))
            let products = try (0..<parts).map { part in
                let weight = try mixer.input.weight.sliced(1, part..<width, step: parts).contiguous()
                return try x.sliced(2, part..<width, step: parts).contiguous().matmul(weight.transposed())
            }
            let sum = try products.dropFirst().reduce(products[0]) { try $0 + $1 }
            return try mixer.input.bias.map { try sum + $0 } ?? sum
        }
    }
}

/// A softplus of the input that overflows where the exponential does, beyond 88.
enum Overflows: PlantedFault {
    static let breaks: Set<Law> = [.extremes]

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.run(x, state: &state) { x in try mixer.input((1 + x.exp()).log()) }
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.run(x, state: &state, mode: .reference) { x in try mixer.input(x.softplus()) }
    }
}
