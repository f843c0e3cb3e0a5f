import RondoConformance
import RondoMixers
import RondoNN
import RondoTensor

/// A correct mixer, as small as one can be that has a second state: m = β m⁻ + W x + b; h = a ⊙ h⁻ + m; y = h.
struct TinyRecurrence: SequenceMixer {
    /// The shape.
    struct Configuration: MixerConfiguration {
        /// β.
        var momentum = 0.5
        /// Something without a default value.
        var label: String?

        init() {}

        func validate(dModel: Int) throws {
            try requireValue((0..<1).contains(momentum), "momentum", momentum, "from 0 to below 1")
        }
    }

    static let card = MixerCard(
        name: "tiny_recurrence", title: "Tiny recurrence", family: .vectorState, summary: "a recurrence with momentum",
        equations: "m = β m⁻ + W x + b\nh = a ⊙ h⁻ + m\ny = h", source: "none", complexity: "O(T D²)")

    static let examples = [
        MixerExample<Configuration>("plain", dModel: 5),
        MixerExample<Configuration>("strong momentum", dModel: 3) { $0.momentum = 0.75 },
    ]

    let configuration: Configuration
    let dModel: Int
    var input: Linear
    var decay: Tensor
    /// β for every channel: constant, and no parameter.
    let momentum: FixedTensor

    init(_ configuration: Configuration, dModel: Int, dtype: DType, using generator: inout Generator) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        input = try Linear(inputSize: dModel, outputSize: dModel, dtype: dtype, using: &generator)
        decay = try generator.uniform([dModel], low: -1, high: 1, dtype: dtype)
        momentum = FixedTensor(try Tensor.full([dModel], configuration.momentum, dtype: dtype))
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try visit("decay", &decay)
    }

    func initialState(batch: Int) throws -> MixerState {
        let zeros = { try Tensor.zeros([batch, dModel], dtype: decay.dtype) }
        return MixerState(batch: batch, ["m": try zeros(), "h": try zeros()])
    }

    func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor { try run(x, state: &state) }

    func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(x, state: &state, mode: .reference)
    }

    /// Everything that the faults need to be wrong in one place.
    ///
    /// - Parameters:
    ///   - x: `[batch, time, dModel]`.
    ///   - state: Leaves m and h, in this order.
    ///   - scan: The recurrence.
    ///   - mode: Its kernel or its equations.
    ///   - drive: Gives W x + b.
    /// - Returns: `[batch, time, dModel]`.
    /// - Throws: `RondoError` when shapes do not fit.
    func run(
        _ x: Tensor, state: inout MixerState, scan: TinyScan = TinyScan(), mode: FusedMode = .kernel,
        drive: ((Tensor) throws -> Tensor)? = nil
    ) throws -> Tensor {
        try requireInput(x, state: state)
        let m = try scan([drive?(x) ?? input(x), momentum.tensor, state[0]], mode: mode)
        let h = try scan([m[0], decay.sigmoid(), state[1]], mode: mode)
        (state[0], state[1]) = (m[1], h[1])
        state.advance(by: x.shape[1])
        return h[0]
    }
}

/// A way in which ``TinyRecurrence`` goes wrong, and the laws that must notice.
///
/// Every form is the correct one unless a fault says otherwise.
protocol PlantedFault: Sendable {
    /// Exactly the laws that are broken.
    static var breaks: Set<Law> { get }
    static var needsEqualPositions: Bool { get }
    static var hasThresholds: Bool { get }
    static func initialState(_ mixer: TinyRecurrence, batch: Int) throws -> MixerState
    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor
    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor
    static func parallel(_ mixer: TinyRecurrence, _ x: Tensor) throws -> Tensor
    static func makeStepper(_ mixer: TinyRecurrence, batch: Int) throws -> any MixerStepper
    static func hiddenTensor(_ dtype: DType) throws -> Tensor?
}

extension PlantedFault {
    static var name: String { "\(Self.self)" }
    static var needsEqualPositions: Bool { false }
    static var hasThresholds: Bool { false }

    static func initialState(_ mixer: TinyRecurrence, batch: Int) throws -> MixerState {
        try mixer.initialState(batch: batch)
    }

    static func chunk(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.chunk(x, state: &state)
    }

    static func reference(_ mixer: TinyRecurrence, _ x: Tensor, _ state: inout MixerState) throws -> Tensor {
        try mixer.reference(x, state: &state)
    }

    static func parallel(_ mixer: TinyRecurrence, _ x: Tensor) throws -> Tensor {
        var state = try initialState(mixer, batch: x.shape[0])
        return try chunk(mixer, x, &state)
    }

    static func makeStepper(_ mixer: TinyRecurrence, batch: Int) throws -> any MixerStepper {
        FaultyStepper<Self>(mixer: mixer)
    }

    static func hiddenTensor(_ dtype: DType) throws -> Tensor? { nil }
}

/// ``TinyRecurrence`` with a fault.
struct Faulty<Fault: PlantedFault>: SequenceMixer {
    typealias Configuration = TinyRecurrence.Configuration

    static var card: MixerCard {
        var card = TinyRecurrence.card
        card.name = Fault.name
        card.needsEqualPositions = Fault.needsEqualPositions
        return card
    }

    static var examples: [MixerExample<Configuration>] { TinyRecurrence.examples }

    var mixer: TinyRecurrence
    let hidden: Tensor?
    var hasThresholds: Bool { Fault.hasThresholds }

    init(_ configuration: Configuration, dModel: Int, dtype: DType, using generator: inout Generator) throws {
        mixer = try TinyRecurrence(configuration, dModel: dModel, dtype: dtype, using: &generator)
        hidden = try Fault.hiddenTensor(dtype)
    }

    var configuration: Configuration { mixer.configuration }
    var dModel: Int { mixer.dModel }
    func initialState(batch: Int) throws -> MixerState { try Fault.initialState(mixer, batch: batch) }
    func parallel(_ x: Tensor) throws -> Tensor { try Fault.parallel(mixer, x) }
    func makeStepper(batch: Int) throws -> any MixerStepper { try Fault.makeStepper(mixer, batch: batch) }

    func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try Fault.chunk(mixer, x, &state)
    }

    func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try Fault.reference(mixer, x, &state)
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try mixer.forEachParameter(visit)
    }
}

/// A chunk of one position after the other.
struct FaultyStepper<Fault: PlantedFault>: MixerStepper {
    let mixer: TinyRecurrence

    func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try Fault.chunk(mixer, x.expanded(at: 1), &state).squeezed(1)
    }
}
