import RondoData
import RondoMixers
import RondoNN
import RondoTensor
import RondoTrain

/// One-hot bits through a mixer, or through two of them from both ends, and a linear readout.
private struct BitReader: Module {
    var input: Linear
    var both: Bidirectional?
    var causal: LSTM?
    var head: Linear

    init(bidirectional: Bool, width: Int, using generator: inout Generator) throws {
        input = try Linear(inputSize: 2, outputSize: width, using: &generator)
        func lstm() throws -> LSTM {
            try LSTM(LSTM.Configuration(), dModel: width, dtype: .float32, using: &generator)
        }
        if bidirectional {
            both = try Bidirectional(forward: lstm(), backward: lstm())
        } else {
            causal = try lstm()
        }
        head = try Linear(inputSize: bidirectional ? 2 * width : width, outputSize: 2, using: &generator)
    }

    /// Bits `[batch, time]` to scores `[batch, time, 2]`.
    func callAsFunction(_ bits: Tensor, lengths: [Int]? = nil) throws -> Tensor {
        let rows = try Tensor.identity(2).takingRows(bits.reshaped([bits.count])).reshaped(bits.shape + [2])
        let x = try input(rows)
        if let both { return try head(both(x, lengths: lengths)) }
        return try head(causal?.parallel(x) ?? x)
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try both.forEachParameter(under: "both", visit)
        try causal.forEachParameter(under: "causal", visit)
        try head.forEachParameter(under: "head", visit)
    }
}

extension Experiment {
    private struct FutureSettings: Codable {
        var distance = 3
        var length = 20
        var width = 16
        var batchSize = 32
        var steps = 400
        var learningRate = 1e-2
        var testSequences = 1000
    }

    /// Fair bits and, where it exists, the bit `distance` later; with `lengths`, rows that end early, padded with ones.
    private static func bits(
        _ settings: FutureSettings, lengths: [Int], using generator: inout Generator
    ) throws -> (inputs: Tensor, targets: Tensor) {
        var (inputs, targets) = ([Int32](), [Int32]())
        for length in lengths {
            let row = (0..<length).map { _ in Int32.random(in: 0...1, using: &generator) }
            inputs += row + Array(repeating: 1, count: settings.length - length)
            targets += row.dropFirst(settings.distance)
            targets += Array(
                repeating: TaskExample.unasked, count: settings.length - max(0, length - settings.distance))
        }
        let shape = [lengths.count, settings.length]
        return (try Tensor(inputs, shape: shape), try Tensor(targets, shape: shape))
    }

    static func future(_ trial: inout Trial) throws {
        let settings = FutureSettings()
        try trial.record("future", settings)
        var models: [Bool: BitReader] = [:]
        for bidirectional in [false, true] {
            let name = bidirectional ? "LSTMs in both directions" : "causal LSTM"
            var generator = Generator(seed: trial.seed)
            let model = try BitReader(bidirectional: bidirectional, width: settings.width, using: &generator)
            var learner = try Learner(model, optimizer: plainAdam(settings.learningRate))
            let whole = Array(repeating: settings.length, count: settings.batchSize)
            while learner.step < settings.steps {
                let batch = try bits(settings, lengths: whole, using: &generator)
                let outcome = try learner.step {
                    try Loss.crossEntropy($0(batch.inputs), batch.targets, ignoredTarget: TaskExample.unasked)
                }
                try trial.progress("\(name): step \(learner.step), loss \(Figure.text(outcome.loss))")
            }
            var test = Generator(seed: trial.seed, stream: 99)
            let held = try bits(
                settings, lengths: Array(repeating: settings.length, count: settings.testSequences), using: &test)
            let accuracy = try CellClassifier.accuracy(learner.model(held.inputs), held.targets)
            trial.check("accuracy, \(name)", accuracy, bidirectional ? .atLeast(0.999) : .within(0.47...0.53))
            models[bidirectional] = learner.model
        }
        guard let model = models[true] else { return }
        var test = Generator(seed: trial.seed, stream: 98)
        let lengths = (0..<settings.testSequences).map { 8 + $0 % 13 }
        let ragged = try bits(settings, lengths: lengths, using: &test)
        trial.check(
            "accuracy, both directions, rows of 8 to 20 positions, each reversed by its own length",
            try CellClassifier.accuracy(model(ragged.inputs, lengths: lengths), ragged.targets), .atLeast(0.999))
    }
}
