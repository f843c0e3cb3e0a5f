import RondoData
import RondoMixers
import RondoNN
import RondoTensor
import RondoTrain

/// Frames of features through LSTMs in both directions to scores of labels and the blank.
private struct FrameLabeller: Module {
    var input: Linear
    var both: Bidirectional
    var head: Linear

    init(features: Int, width: Int, classes: Int, using generator: inout Generator) throws {
        input = try Linear(inputSize: features, outputSize: width, using: &generator)
        func lstm() throws -> LSTM {
            try LSTM(LSTM.Configuration(), dModel: width, dtype: .float32, using: &generator)
        }
        both = try Bidirectional(forward: lstm(), backward: lstm())
        head = try Linear(inputSize: 2 * width, outputSize: classes, using: &generator)
    }

    func callAsFunction(_ frames: Tensor, lengths: [Int]) throws -> Tensor {
        try head(both(input(frames), lengths: lengths))
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try both.forEachParameter(under: "both", visit)
        try head.forEachParameter(under: "head", visit)
    }
}

/// Sounds of random lengths one after the other, in noise, with nothing that says where each begins.
private struct NoisySounds {
    struct Settings: Codable {
        var sounds = 6
        var features = 8
        var labels = [3, 6]
        var framesOfSound = [2, 5]
        var framesOfSilence = [1, 3]
        var noise = 0.9
    }

    struct Batch {
        var frames: Tensor
        var lengths: [Int]
        var labels: [[Int32]]
    }

    let settings = Settings()
    /// The mean frame of every class; of silence, class 0, zeros.
    let means: Tensor

    /// Equally far from each other, so that one draw is as hard as another.
    init() throws {
        let directions = try Tensor.identity(settings.features).sliced(0, 0..<settings.sounds)
        means = try (directions * Double(settings.features).squareRoot()).padded(0, before: 1, after: 0)
    }

    var classes: Int { settings.sounds + 1 }

    func batch(_ count: Int, using generator: inout Generator) throws -> Batch {
        func draw(_ bounds: [Int]) -> Int { Int.random(in: bounds[0]...bounds[1], using: &generator) }
        var (rows, labels) = ([[Int32]](), [[Int32]]())
        for _ in 0..<count {
            let row = (0..<draw(settings.labels)).map { _ in
                Int32.random(in: 1...Int32(settings.sounds), using: &generator)
            }
            var frames = [Int32](repeating: 0, count: draw(settings.framesOfSilence))
            for label in row {
                frames += Array(repeating: label, count: draw(settings.framesOfSound))
                frames += Array(repeating: 0, count: draw(settings.framesOfSilence))
            }
            rows.append(frames)
            labels.append(row)
        }
        let time = rows.map(\.count).max() ?? 0
        let padded = rows.flatMap { $0 + Array(repeating: 0, count: time - $0.count) }
        let shape: Shape = [count, time, settings.features]
        let noise = try generator.normal(shape, deviation: settings.noise)
        return Batch(
            frames: try means.takingRows(Tensor(padded)).reshaped(shape) + noise, lengths: rows.map(\.count),
            labels: labels)
    }
}

extension Experiment {
    private struct LabellingSettings: Codable {
        var width = 32
        var batchSize = 32
        var steps = 500
        var learningRate = 1e-2
        var schedule = ScheduleConfiguration(.cosine, warmupSteps: 0, floor: 0)
        var beamWidth = 8
        var testSequences = 500
    }

    static func labelling(_ trial: inout Trial) throws {
        try checkProbabilities(&trial)
        let settings = LabellingSettings()
        try trial.record("labelling", settings)
        var generator = Generator(seed: trial.seed)
        let sounds = try NoisySounds()
        try trial.record("sounds", sounds.settings)
        let model = try FrameLabeller(
            features: sounds.settings.features, width: settings.width, classes: sounds.classes, using: &generator)
        var learner = try Learner(model, optimizer: plainAdam(settings.learningRate))
        try trial.steps("labelling", upTo: settings.steps) {
            let batch = try sounds.batch(settings.batchSize, using: &generator)
            let rate = settings.schedule.multiplier(step: learner.step, totalSteps: settings.steps)
            return try learner.step(rateMultiplier: rate) {
                try Loss.ctc(
                    $0(batch.frames, lengths: batch.lengths), targets: batch.labels, inputLengths: batch.lengths)
            }.loss
        }
        var test = Generator(seed: trial.seed, stream: 99)
        let batch = try sounds.batch(settings.testSequences, using: &test)
        let scores = try learner.model(batch.frames, lengths: batch.lengths)
        let decoder = CTCDecoder()
        let best = try decoder.greedy(scores, inputLengths: batch.lengths)
        let beams = try decoder.beam(scores, inputLengths: batch.lengths, width: settings.beamWidth)
        trial.check("label error rate, best path", errorRate(best, batch), .atMost(0.05))
        trial.check(
            "label error rate, prefix beam", errorRate(beams.map { $0.first?.labels ?? [] }, batch), .atMost(0.05))
        let count = batch.lengths.reduce(0, +)
        let path = try scores.argmax().array(of: Int32.self)
        let blanks = batch.lengths.enumerated().reduce(0) { sum, row in
            let start = row.offset * scores.shape[1]
            return sum + path[start..<start + row.element].count { $0 == decoder.blank }
        }
        trial.show("share of frames at which the blank is the likeliest", Double(blanks) / Double(count))
    }

    private static func errorRate(_ found: [[Int32]], _ batch: NoisySounds.Batch) -> Double {
        var rate = ErrorRate()
        for (labels, reference) in zip(found, batch.labels) { rate.add(labels, reference: reference) }
        return rate.value
    }

    /// All labellings of four frames with two labels: their probabilities add up to 1.
    private static func checkProbabilities(_ trial: inout Trial) throws {
        var labellings: [[Int32]] = [[]]
        var longest: [[Int32]] = [[]]
        for _ in 0..<4 {
            longest = longest.flatMap { [$0 + [1], $0 + [2]] }
            labellings += longest
        }
        let frames = try trial.generator.normal([1, 4, 3], deviation: 2, dtype: .float64)
        let rows = try frames.broadcast(to: [labellings.count, 4, 3]).contiguous()
        let losses = try TemporalClassification(
            targets: labellings, inputLengths: Array(repeating: 4, count: labellings.count), makesGradient: false)([
                rows
            ])
        let sum: Double = try (-losses[0]).exp().sum().scalar()
        trial.check("1 minus the probabilities of all labellings of four frames", abs(1 - sum), .atMost(1e-12))
    }
}
