import RondoData
import RondoMixers
import RondoNN
import RondoTensor
import RondoTrain

/// One-hot bits through a layer, and a linear readout.
struct BitReader<Layer: Module>: Module {
    var input: Linear
    var layer: Layer
    var head: Linear
    /// The layer at work on `[batch, time, width]`, with the lengths of rows.
    let read: @Sendable (Layer, Tensor, [Int]?) throws -> Tensor

    /// Bits `[batch, time]` to scores `[batch, time, 2]`.
    func callAsFunction(_ bits: Tensor, lengths: [Int]? = nil) throws -> Tensor {
        let rows = try Tensor.identity(2).takingRows(bits.reshaped([bits.count])).reshaped(bits.shape + [2])
        return try head(read(layer, input(rows), lengths))
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try layer.forEachParameter(under: "layer", visit)
        try head.forEachParameter(under: "head", visit)
    }
}

/// Fair bits, and for each the one some positions later: a causal model can only guess.
struct FutureBits: Codable {
    var distance = 3
    var length = 20
    var width = 16
    var batchSize = 32
    var steps = 400
    var learningRate = 1e-2
    var testSequences = 1000

    /// Bits and, where it exists, the bit `distance` later; rows that end early are padded with ones.
    private func batch(lengths: [Int], using generator: inout Generator) throws -> (inputs: Tensor, targets: Tensor) {
        var (inputs, targets) = ([Int32](), [Int32]())
        for own in lengths {
            let row = (0..<own).map { _ in Int32.random(in: 0...1, using: &generator) }
            inputs += row + Array(repeating: 1, count: length - own)
            targets += row.dropFirst(distance)
            targets += Array(repeating: TaskExample.unasked, count: length - max(0, own - distance))
        }
        let shape: Shape = [lengths.count, length]
        return (try Tensor(inputs, shape: shape), try Tensor(targets, shape: shape))
    }

    /// Trains a layer with a readout.
    ///
    /// - Parameters:
    ///   - name: What is trained, for progress.
    ///   - outputs: The width of what the layer gives.
    ///   - trial: Has the seed.
    ///   - layer: Makes the layer.
    ///   - read: The layer at work on `[batch, time, width]`, with the lengths of rows.
    /// - Returns: The reader.
    /// - Throws: what training throws, or the request to stop.
    func train<Layer: Module>(
        _ name: String, outputs: Int, _ trial: Trial, layer: (inout Generator) throws -> Layer,
        read: @escaping @Sendable (Layer, Tensor, [Int]?) throws -> Tensor
    ) throws -> BitReader<Layer> {
        var generator = Generator(seed: trial.seed)
        let model = BitReader(
            input: try Linear(inputSize: 2, outputSize: width, using: &generator), layer: try layer(&generator),
            head: try Linear(inputSize: outputs, outputSize: 2, using: &generator), read: read)
        var learner = try Learner(model, optimizer: Experiment.plainAdam(learningRate))
        let whole = Array(repeating: length, count: batchSize)
        try trial.steps(name, upTo: steps) {
            let batch = try batch(lengths: whole, using: &generator)
            return try learner.step {
                try Loss.crossEntropy($0(batch.inputs), batch.targets, ignoredTarget: TaskExample.unasked)
            }.loss
        }
        return learner.model
    }

    /// The share of right answers in new rows.
    ///
    /// - Parameters:
    ///   - reader: What answers.
    ///   - ragged: Whether rows have 8 to 20 positions instead of all.
    ///   - seed: The trial's.
    /// - Returns: The accuracy where a bit exists so far ahead.
    /// - Throws: `RondoError` if there is no memory.
    func accuracy<Layer>(of reader: BitReader<Layer>, ragged: Bool = false, seed: UInt64) throws -> Double {
        var test = Generator(seed: seed, stream: ragged ? 98 : 99)
        let lengths = (0..<testSequences).map { ragged ? 8 + $0 % 13 : length }
        let held = try batch(lengths: lengths, using: &test)
        return try CellClassifier.accuracy(reader(held.inputs, lengths: ragged ? lengths : nil), held.targets)
    }
}
