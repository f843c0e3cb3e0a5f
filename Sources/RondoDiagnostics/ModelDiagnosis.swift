import RondoMixers
public import RondoModels
import RondoNN
import RondoTensor

/// What is measured of a model, and how much of it.
public struct DiagnosisOptions: Codable, Sendable, Equatable {
    /// Positions that are read for the loss and the states.
    public var length = 2048
    /// Rows that are read side by side.
    public var rows = 4
    /// The length that the model was trained at, if it is known: states are compared with those at this position.
    public var trainingLength: Int?
    /// How positions are put together for the loss.
    public var bucketing = LossByPosition.Bucketing.powersOfTwo
    /// At how many positions states are measured.
    public var statePoints = 12
    /// The largest distance of the memory horizon.
    public var horizon = 256
    /// Positions at which the states of units are followed for their timescales; 0 for none.
    public var timescaleSteps = 1000
    /// The most units of each state whose timescales are measured.
    public var unitsPerState = 24
    /// Positions whose eigenvalues are collected.
    public var transitionLength = 128
    /// The seed of everything random.
    public var seed: UInt64 = 0

    /// Creates the defaults.
    public init() {}

    /// Refuses values that make no sense.
    /// - Throws: `RondoError` of code `invalidArgument` that names the key.
    public func validate() throws {
        try requireValue((16...1 << 24).contains(length), "length", length, "from 16 to 16777216")
        try requireValue((1...4096).contains(rows), "rows", rows, "from 1 to 4096")
        try requireValue((trainingLength ?? 1) >= 1, "training_length", trainingLength ?? 1, "at least 1")
        try requireValue((2...1000).contains(statePoints), "state_points", statePoints, "from 2 to 1000")
        try requireValue((2...1 << 20).contains(horizon), "horizon", horizon, "from 2 to 1048576")
        try requireValue(timescaleSteps >= 0, "timescale_steps", timescaleSteps, "0 or more")
        try requireValue(unitsPerState >= 1, "units_per_state", unitsPerState, "at least 1")
        try requireValue(transitionLength >= 1, "transition_length", transitionLength, "at least 1")
    }
}

/// The timescales of some units of a state.
public struct UnitTimescales: Sendable, Codable, Equatable {
    /// The state's layer and name, as `layers.0.h`.
    public var name: String
    /// The timescales in steps, rising.
    public var timescales: [Double]
    /// How many units are better described by two timescales, of which the longer counts.
    public var twoTimescales: Int
    /// How many units did not change.
    public var silent: Int

    /// The median; `nil` if all units were silent.
    public var median: Double? { timescales.isEmpty ? nil : timescales[timescales.count / 2] }
}

/// What a model does with its memory: the parts of `rondo diagnose`.
public struct ModelDiagnosis: Sendable, Codable, Equatable {
    /// What was asked for.
    public var options: DiagnosisOptions
    /// How the loss changes with the position.
    public var loss: LossByPosition
    /// How states fill.
    public var states: StateTrace
    /// The position from which on numbers were not finite any more; `nil` if all were.
    public var firstNotFinite: Int?
    /// How far back the loss looks.
    public var horizon: MemoryHorizon
    /// Whether rare pairs are found again; `nil` if the rows have too few different tokens.
    public var recall: RecallByDistance?
    /// The eigenvalues of layers that report them.
    public var transitions: [TransitionSpectrum]
    /// How slowly units change.
    public var timescales: [UnitTimescales]

    /// Measures a model.
    ///
    /// - Parameters:
    ///   - model: The model, with weights through which derivatives flow.
    ///   - options: What to measure.
    ///   - rows: Tokens for each row, at least one more than `options.length`.
    ///   - onProgress: Told what is being done; it may throw to stop.
    /// - Throws: `RondoError` for options or rows that do not fit, or what `onProgress` throws.
    public init(
        of model: LanguageModel, options: DiagnosisOptions, rows: [[Int32]],
        onProgress: (String) throws -> Void = { _ in }
    ) throws {
        try options.validate()
        guard rows.count == options.rows, rows.allSatisfy({ $0.count > options.length }) else {
            throw RondoError(
                .invalidArgument,
                "diagnosis: needs \(options.rows) rows of \(options.length + 1) tokens; got \(rows.map(\.count))")
        }
        self.options = options
        var reading = Reading(options)
        try reading.run(model, rows, onProgress)
        loss = LossByPosition(reading.losses, bucketing: options.bucketing)
        states = reading.trace
        firstNotFinite = reading.firstNotFinite
        try onProgress("memory horizon")
        let distance = min(options.horizon, options.length - 1)
        horizon = try MemoryHorizon(of: model, rows: rows.map { Array($0.prefix(distance + 2)) })
        try onProgress("recall by distance")
        recall = try Self.recall(model, options, rows)
        try onProgress("eigenvalues")
        let start = rows.map { Array($0.prefix(min(options.transitionLength, options.length))) }
        transitions = try TransitionSpectrum.measure(model, rows: start)
        timescales = try Self.timescales(model, options, rows, onProgress)
    }

    private static func recall(
        _ model: LanguageModel, _ options: DiagnosisOptions, _ rows: [[Int32]]
    ) throws -> RecallByDistance? {
        guard Set(rows.joined()).count >= 4 else { return nil }
        var distances: [Int] = []
        var distance = 4
        while distance + 2 <= min(options.length, 4 * options.horizon) {
            distances.append(distance)
            distance *= 2
        }
        var generator = Generator(seed: options.seed, stream: 1)
        let longest = (distances.last ?? 0) + 2
        return try RecallByDistance(
            of: model, rows: rows.map { Array($0.prefix(longest)) }, distances: distances, using: &generator)
    }

    // MARK: - Timescales

    private static func timescales(
        _ model: LanguageModel, _ options: DiagnosisOptions, _ rows: [[Int32]], _ onProgress: (String) throws -> Void
    ) throws -> [UnitTimescales] {
        let estimator = TimescaleEstimator()
        let steps = min(options.timescaleSteps, options.length)
        // The beginning, where states fill, is no part of their fluctuations.
        let burnIn = steps / 5
        guard steps - burnIn > 2 * estimator.lags else { return [] }
        var recorder = UnitRecorder(model, unitsPerState: options.unitsPerState, rows: rows.count, seed: options.seed)
        var stepper = try TokenStepper(model, batch: rows.count)
        var state = try model.initialState(batch: rows.count)
        for step in 0..<steps {
            if step % 16 == 0 { try onProgress("timescales: step \(step) of \(steps)") }
            _ = try stepper(rows.map { $0[step] }, state: &state)
            if step >= burnIn { try recorder.record(state) }
        }
        return try recorder.units.map { name, trials in
            try onProgress("timescales: \(name)")
            let estimates = trials.map { estimator($0) }
            let known = estimates.compactMap { $0 }
            return UnitTimescales(
                name: name, timescales: known.map(\.timescale).sorted(),
                twoTimescales: known.count { $0.best.timescales.count == 2 }, silent: estimates.count - known.count)
        }
    }
}

/// One pass over the rows: losses position by position, states now and then.
private struct Reading {
    private let options: DiagnosisOptions
    private(set) var losses: [[Double]]
    private(set) var trace: StateTrace
    private(set) var firstNotFinite: Int?

    /// Positions of a piece: so many scores are in memory at once.
    private static let piece = 64

    init(_ options: DiagnosisOptions) {
        self.options = options
        losses = Array(repeating: [], count: options.rows)
        trace = StateTrace(reference: min(options.trainingLength ?? options.length / 8, options.length))
    }

    mutating func run(
        _ model: LanguageModel, _ rows: [[Int32]], _ onProgress: (String) throws -> Void
    ) throws {
        let stops = Set(stops)
        let bounds = stops.union(stride(from: Self.piece, to: options.length, by: Self.piece)).sorted()
        var state = try model.initialState(batch: rows.count)
        var start = 0
        for end in bounds {
            try onProgress("reading: position \(start) of \(options.length)")
            let shape: Shape = [rows.count, end - start]
            let inputs = try Tensor(rows.flatMap { $0[start..<end] }, shape: shape)
            let targets = try Tensor(rows.flatMap { $0[start + 1..<end + 1] }, shape: shape)
            let own = try LossByPosition.losses(model.logits(inputs, state: &state), targets)
                .cast(to: .float64).array(of: Double.self)
            let finite = try state.named.tensors.allSatisfy { try !$0.dtype.isDifferentiable || $0.isFinite() }
            guard finite, own.allSatisfy(\.isFinite) else {
                firstNotFinite = start
                return
            }
            for row in losses.indices { losses[row] += own[row * shape[1]..<(row + 1) * shape[1]] }
            if stops.contains(end) { try trace.append(state, of: model, at: end) }
            start = end
        }
    }

    /// Where states are measured: by equal ratios, and at the reference.
    private var stops: [Int] {
        let first = Elementary.log(Double(min(8, options.length)))
        let last = Elementary.log(Double(options.length))
        let count = options.statePoints - 1
        let even = (0...count).map { index in
            Int(Elementary.exp(first + (last - first) * Double(index) / Double(count)).rounded())
        }
        return even + [trace.reference, options.length]
    }
}

/// The values of some units of every state, step by step.
private struct UnitRecorder {
    private struct Source {
        var layer: Int
        var leaf: Int
        var name: String
        var indices: Tensor
        var units: Int
        /// By unit and row.
        var values: [[[Double]]]
    }

    private var sources: [Source] = []
    private let rows: Int
    private let unitsPerState: Int
    private let seed: UInt64
    /// Of each layer, whether its state keeps its size.
    private let isConstant: [Bool]

    init(_ model: LanguageModel, unitsPerState: Int, rows: Int, seed: UInt64) {
        self.rows = rows
        self.unitsPerState = unitsPerState
        self.seed = seed
        isConstant = model.layers.map { type(of: $0.mixer).card.stateGrowth == .constant }
    }

    /// Records one step.
    mutating func record(_ state: ModelState) throws {
        if sources.isEmpty { try choose(state) }
        for index in sources.indices {
            let source = sources[index]
            let values = try state.layers[source.layer][source.leaf].contiguous().reshaped([-1])
                .takingRows(source.indices).cast(to: .float64).array(of: Double.self)
            for unit in 0..<source.units {
                for row in 0..<rows { sources[index].values[unit][row].append(values[row * source.units + unit]) }
            }
        }
    }

    /// Chooses the units when the first state is seen.
    private mutating func choose(_ state: ModelState) throws {
        var generator = Generator(seed: seed, stream: 2)
        for (layer, own) in state.layers.enumerated() where isConstant[layer] {
            for (leaf, name) in own.names.enumerated() {
                let tensor = own[leaf]
                guard tensor.dtype.isDifferentiable, tensor.count > 0, !StateTrace.histories.contains(name) else {
                    continue
                }
                let size = tensor.count / rows
                let count = min(unitsPerState, size)
                let units = Array((0..<size).shuffled(using: &generator).prefix(count)).sorted()
                let indices = (0..<rows).flatMap { row in units.map { Int32(row * size + $0) } }
                sources.append(
                    Source(
                        layer: layer, leaf: leaf, name: "layers.\(layer).\(name)", indices: try Tensor(indices),
                        units: count,
                        values: Array(repeating: Array(repeating: [], count: rows), count: count)))
            }
        }
    }

    /// For each state its units' trials.
    var units: [(name: String, trials: [[[Double]]])] { sources.map { ($0.name, $0.values) } }
}
