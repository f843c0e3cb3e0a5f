/// What every mixer must keep to, whatever its mathematics.
public enum Law: String, Sendable, Codable, CaseIterable {
    /// A sequence read in two pieces, cut anywhere, is the sequence read at once.
    case split
    /// Position by position is the sequence read at once.
    case step
    /// The parallel form is a chunk from the initial state.
    case parallel
    /// All forms are the equations, for random and for trained-looking parameters.
    case reference
    /// Derivatives of inputs, parameters and initial state, through outputs and final state, are the equations' and
    /// those of differences (with thresholds, the equations' alone: ``SequenceMixer/hasThresholds``).
    case gradients
    /// The future, even NaN, does not change a bit of the past.
    case causality
    /// Rows do not see each other, and their order does not matter.
    case rows
    /// A copied state goes on by itself.
    case fork
    /// A state saved to a file and restored is the same bits and goes on with the same bits; another's is refused.
    case roundTrip = "round_trip"
    /// A state restored in another process goes on with the same bits.
    case process
    /// Documents packed into rows are the documents alone.
    case documents
    /// Padding before or after a row changes neither its outputs nor its state.
    case padding
    /// States are float32 or wider in type and in content, and do not drift in many small pieces.
    case precision
    /// The state grows as declared, and steps in a workspace allocate nothing.
    case memory
    /// The last element of every input, parameter and state counts, and no tensor is hidden.
    case width
    /// The number of threads changes no bit.
    case threads
    /// 100,000 positions and large inputs stay finite and exact.
    case extremes

    /// The law in one line.
    public var summary: String {
        switch self {
        case .split: "two pieces, cut anywhere, are the whole"
        case .step: "position by position is the whole"
        case .parallel: "the parallel form is a chunk from the initial state"
        case .reference: "all forms are the equations"
        case .gradients: "derivatives are the equations' and those of differences"
        case .causality: "a NaN in the future changes no bit of the past"
        case .rows: "rows do not see each other"
        case .fork: "a copied state goes on by itself"
        case .roundTrip: "a state survives a file; another model's is refused"
        case .process: "a state goes on in another process"
        case .documents: "packed documents are the documents alone"
        case .padding: "padding on either side changes nothing"
        case .precision: "states are float32 or wider and do not drift"
        case .memory: "the state grows as declared; steps allocate nothing new"
        case .width: "every input, parameter and state element counts"
        case .threads: "the number of threads changes no bit"
        case .extremes: "100,000 positions and large inputs stay finite and exact"
        }
    }
}

/// How a law was kept.
public struct LawResult: Sendable, Codable, Equatable {
    /// The mixer.
    public var mixer: String
    /// The example that it was checked on, and the type.
    public var example: String
    /// The law.
    public var law: Law
    /// The largest difference relative to the largest magnitude, 0 where bits are compared.
    public var error: Double
    /// The largest difference allowed.
    public var tolerance: Double
    /// What went wrong, if anything did.
    public var failure: String?
    /// Why the law was not checked, if it was not.
    public var skipped: String?

    /// Whether the law was kept, or could not be checked here.
    public var passed: Bool { failure == nil }
}
