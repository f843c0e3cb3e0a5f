import RondoData
import RondoNN
import RondoTensor
import RondoTrain

/// A memory task over random bits, asked at the end, for several numbers of bits N at once.
enum MemoryTask: String, Encodable {
    /// Whether the number of ones among the last N bits is odd.
    case parity
    /// Whether the last bit is the same as the one N - 1 before it.
    case delayedMatch = "delayed_match"

    /// The right answer, 0 or 1.
    func answer(_ bits: some BidirectionalCollection<Int32>, n: Int) -> Int32 {
        switch self {
        case .parity: NParityTask.answer(bits, n: n)
        case .delayedMatch: DelayedMatchTask.answer(bits, n: n)
        }
    }

    /// The share of right answers of a network that answers for `other` when it is asked for `n`.
    func agreement(_ n: Int, _ other: Int) -> Double {
        let distance = abs(n - other)
        guard self == .parity, distance > 0 else { return distance == 0 ? 1 : 0.5 }
        // The rate of ones is uniform, so that an even number of bits has an even sum more often.
        return distance.isMultiple(of: 2) ? 0.5 + 0.5 / Double(distance + 1) : 0.5
    }

    /// Bits as the task draws them: parity with a rate of ones for each sequence, uniform in 0..<1.
    ///
    /// - Returns: `[time, batch]` of zeros and ones.
    func bits(time: Int, batch: Int, using generator: inout Generator) throws -> Tensor {
        let rates = try self == .parity ? generator.uniform([1, batch]) : Tensor.full([1, batch], 0.5)
        return try generator.uniform([time, batch]).less(than: rates).cast(to: .float32)
    }

    /// Sequences of one length and their answers for some N.
    ///
    /// - Returns: Bits `[time, batch, 1]` and classes `[batch, numbers]`.
    func batch(
        _ numbers: [Int], time: Int, batch: Int, using generator: inout Generator
    ) throws -> (inputs: Tensor, targets: Tensor) {
        let bits = try bits(time: time, batch: batch, using: &generator)
        let values = try bits.transposed().contiguous().array(of: Float.self).map { Int32($0) }
        var targets: [Int32] = []
        for row in 0..<batch {
            let sequence = values[row * time..<(row + 1) * time]
            targets += numbers.map { answer(sequence, n: $0) }
        }
        return (try bits.expanded(at: 2), try Tensor(targets, shape: [batch, numbers.count]))
    }
}

/// Leaky units that read bits, and a map from their last state to two classes for each of many heads.
struct MemoryNetwork: Module {
    var layer: LeakyRecurrentLayer
    var heads: Linear

    init(units: Int, heads count: Int, using generator: inout Generator) throws {
        layer = try LeakyRecurrentLayer(.init(inputSize: 1, hiddenSize: units), using: &generator)
        heads = try Linear(inputSize: units, outputSize: 2 * count, using: &generator)
    }

    /// Scores of two classes by some heads, after the last bit.
    ///
    /// - Parameters:
    ///   - inputs: `[time, batch, 1]`.
    ///   - range: The heads.
    ///   - mask: `[units]`: zeros for units that nothing reads any more.
    ///   - generator: Draws the first state, small and positive.
    /// - Returns: `[batch, heads, 2]`.
    /// - Throws: `RondoError` if shapes do not fit.
    func callAsFunction(
        _ inputs: Tensor, heads range: Range<Int>, mask: Tensor? = nil, using generator: inout Generator
    ) throws -> Tensor {
        let shape: Shape = [inputs.shape[1], layer.hiddenSize]
        let masks = try mask?.broadcast(to: shape).contiguous()
        var state = try layer(inputs, state: generator.uniform(shape, high: 0.1), mask: masks).state
        if let masks { state = try state * masks }
        let rows = 2 * range.lowerBound..<2 * range.upperBound
        let scores = try state.linear(heads.weight.sliced(0, rows), bias: heads.bias?.sliced(0, rows))
        return try scores.reshaped([shape[0], range.count, 2])
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try layer.forEachParameter(under: "layer", visit)
        try heads.forEachParameter(under: "heads", visit)
    }
}

/// Training on memory tasks of growing N (Khajehabdollahi et al., 2023).
struct MemoryCurriculum {
    /// What is trained on at a time.
    enum Kind: Equatable {
        /// One N, always by the first head; the next N when it is solved.
        case single
        /// All N up to the largest, each by its own head; one more when they are solved.
        case cumulative
        /// The largest so many N, each by its own head.
        case sliding(Int)
        /// One N from the beginning.
        case none(Int)
    }

    /// How a network is trained; the paper has 500 units, batches of 256 and epochs of 600 updates.
    struct Settings: Encodable {
        var units = 64
        var batch = 128
        var updatesPerEpoch = 100
        var learningRate = 0.05
        var momentum = 0.1
        var clipNorm = 2.0
        var evaluationBatches = 50
        var solvedAccuracy = 0.98
        var heads = 100
    }

    /// How things stood when an N was solved.
    struct Milestone {
        var n: Int
        var updates: Int
        var timeConstants: [Double]
        var network: MemoryNetwork
    }

    let kind: Kind
    let task: MemoryTask
    let settings: Settings
    private(set) var learner: Learner<MemoryNetwork>
    /// The N that are trained on.
    private(set) var numbers: [Int]
    /// What was solved so far.
    private(set) var milestones: [Milestone] = []
    private var generator: Generator

    var network: MemoryNetwork { learner.model }
    var updates: Int { learner.step }

    init(_ kind: Kind, task: MemoryTask, settings: Settings = Settings(), seed: UInt64) throws {
        (self.kind, self.task, self.settings) = (kind, task, settings)
        var generator = Generator(seed: seed, stream: 0xc0)
        var weights = generator.split()
        let network = try MemoryNetwork(units: settings.units, heads: settings.heads, using: &weights)
        self.generator = generator
        learner = try Self.learner(network, settings)
        switch kind {
        case .single, .cumulative: numbers = [2]
        case .sliding(let width): numbers = Array(2..<2 + width)
        case .none(let n): numbers = [n]
        }
    }

    private static func learner(_ network: MemoryNetwork, _ settings: Settings) throws -> Learner<MemoryNetwork> {
        let rule = SGD(learningRate: settings.learningRate, momentum: settings.momentum, nesterov: true)
        return try Learner(network, optimizer: rule, clipNorm: settings.clipNorm)
    }

    /// The largest N that is trained on.
    var largest: Int { numbers.last ?? 2 }

    /// The heads that answer for the N that are trained on.
    private var heads: Range<Int> { heads(for: numbers) }

    private func heads(for numbers: [Int]) -> Range<Int> {
        guard kind == .cumulative || kind.isSliding, let first = numbers.first, let last = numbers.last else {
            return 0..<1
        }
        return first - 2..<last - 1
    }

    private mutating func drawLength() -> Int { Int.random(in: largest + 2..<4 * largest + 2, using: &generator) }

    /// An epoch of updates, then a measurement.
    ///
    /// - Returns: Whether all N that are trained on are solved.
    mutating func epoch() throws -> Bool {
        for _ in 0..<settings.updatesPerEpoch {
            let time = drawLength()
            let batch = try task.batch(numbers, time: time, batch: settings.batch, using: &generator)
            var states = generator.split()
            let (heads, count) = (heads, Double(numbers.count))
            try learner.step {
                try Loss.crossEntropy($0(batch.inputs, heads: heads, using: &states), batch.targets) * count
            }
        }
        let accuracies = try accuracies(of: network, numbers)
        let mean = accuracies.reduce(0, +) / Double(accuracies.count)
        return mean > settings.solvedAccuracy && (accuracies.last ?? 0) > settings.solvedAccuracy
    }

    /// Trains until an N is solved.
    ///
    /// - Parameters:
    ///   - target: The largest N to solve.
    ///   - limit: The most updates in all.
    ///   - onEpoch: Told after every epoch; it may throw to stop.
    /// - Returns: Whether it was solved.
    /// - Throws: What `onEpoch` throws, or `RondoError` if training diverges.
    @discardableResult
    mutating func run(to target: Int, limit: Int, onEpoch: (MemoryCurriculum) throws -> Void) throws -> Bool {
        while updates < limit {
            let isSolved = try epoch()
            try onEpoch(self)
            guard isSolved else { continue }
            milestones.append(
                Milestone(
                    n: largest, updates: updates,
                    timeConstants: try network.layer.timeConstants.array(of: Float.self).map(Double.init),
                    network: network))
            if largest >= target { return true }
            let next = largest + 1
            switch kind {
            case .single: numbers = [next]
            case .cumulative: numbers.append(next)
            case .sliding: numbers = numbers.dropFirst() + [next]
            case .none: return true
            }
        }
        return false
    }

    /// Goes on with another network in place of the trained one, from a fresh optimiser.
    func replacing(_ network: MemoryNetwork) throws -> MemoryCurriculum {
        var copy = self
        copy.learner = try Self.learner(network, settings)
        return copy
    }

    /// The accuracy for each of some N, in sequences as long as in training; a network of one head answers with that.
    mutating func accuracies(of network: MemoryNetwork, _ numbers: [Int], mask: Tensor? = nil) throws -> [Double] {
        var right = [Int](repeating: 0, count: numbers.count)
        let heads = heads(for: numbers)
        for _ in 0..<settings.evaluationBatches {
            let time = drawLength()
            let batch = try task.batch(numbers, time: time, batch: settings.batch, using: &generator)
            let scores = try network(batch.inputs, heads: heads, mask: mask, using: &generator)
            let guesses = try scores.argmax().array(of: Int32.self)
            for (index, target) in try batch.targets.array(of: Int32.self).enumerated() {
                let column = index % numbers.count
                let guess = heads.count == numbers.count ? guesses[index] : guesses[index / numbers.count]
                right[column] += guess == target ? 1 : 0
            }
        }
        let asked = Double(settings.evaluationBatches * settings.batch)
        return right.map { Double($0) / asked }
    }
}

extension MemoryCurriculum.Kind {
    fileprivate var isSliding: Bool {
        if case .sliding = self { return true }
        return false
    }

    /// A word for tables.
    var name: String {
        switch self {
        case .single: "single"
        case .cumulative: "cumulative"
        case .sliding: "sliding"
        case .none: "no curriculum"
        }
    }
}
