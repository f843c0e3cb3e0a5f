import RondoData
import RondoIO
import RondoModels
import RondoTensor
import RondoTrain

/// Windows of bytes from a text, each read on its own, for small language models of bytes.
struct ByteWindows {
    /// Where the text is from.
    let source: String
    private let training: ArraySlice<UInt8>
    private let validation: ArraySlice<UInt8>

    /// Splits a text: its last tenth is for validation.
    init(_ corpus: Corpus, source: String) throws {
        let split = try corpus.split()
        self.source = source
        training = corpus.bytes[split.training]
        validation = corpus.bytes[split.validation]
    }

    /// Random windows of the training part, and the bytes that follow each of theirs: int32 `[count, length]`.
    func batch(_ count: Int, length: Int, using generator: inout Generator) throws -> (Tensor, Tensor) {
        let starts = (0..<count).map { _ in
            Int.random(in: training.startIndex..<training.endIndex - length, using: &generator)
        }
        return try windows(training, starts, length)
    }

    /// Windows of the validation part, spread evenly over it.
    func validationBatch(_ count: Int, length: Int) throws -> (Tensor, Tensor) {
        let room = validation.count - length - 1
        guard room >= 0 else {
            throw RondoError(
                .invalidArgument, "\(source): the last tenth must hold more than \(length) bytes; name a longer text")
        }
        return try windows(
            validation, (0..<count).map { validation.startIndex + $0 * room / max(1, count - 1) }, length)
    }

    private func windows(_ bytes: ArraySlice<UInt8>, _ starts: [Int], _ length: Int) throws -> (Tensor, Tensor) {
        func tensor(_ shift: Int) throws -> Tensor {
            let values = starts.flatMap { start in bytes[start + shift..<start + shift + length].map { Int32($0) } }
            return try Tensor(values, shape: [starts.count, length])
        }
        return (try tensor(0), try tensor(1))
    }
}

extension Trial {
    /// A text to learn from: `tinyshakespeare.txt` of the user's data, else the project's own text.
    func text() throws -> ByteWindows {
        if let dataFolder {
            let path = FileSystem.join(dataFolder, "tinyshakespeare.txt")
            if FileSystem.kind(of: path) != nil { return try ByteWindows(Corpus.load(path), source: path) }
        }
        return try ByteWindows(Corpus.load(DefaultCorpus.locate()), source: "Rondo's own text")
    }

    /// Trains a language model on windows of a text, each from the initial state.
    ///
    /// - Parameters:
    ///   - name: What is trained, for progress.
    ///   - model: The model to begin with.
    ///   - windows: The text.
    ///   - batch: Windows of a step.
    ///   - length: Bytes of a window.
    ///   - steps: Steps in all.
    ///   - rate: The learning rate of AdamW before a cosine schedule with warm-up.
    /// - Returns: The trained model.
    /// - Throws: what training throws, or the request to stop.
    mutating func train(
        _ name: String, _ model: LanguageModel, on windows: ByteWindows, batch: Int, length: Int, steps: Int,
        rate: Double
    ) throws -> LanguageModel {
        let schedule = ScheduleConfiguration(.cosine, warmupSteps: steps / 20, floor: 0.1)
        var learner = try Learner(
            model, optimizer: OptimizerConfiguration(.adamw, learningRate: rate).makeOptimizer())
        var draws = Generator(seed: seed, stream: 0x77)
        let initial = try model.initialState(batch: batch)
        for step in 0..<steps {
            let (inputs, targets) = try windows.batch(batch, length: length, using: &draws)
            var unused = Generator(seed: 0)
            let outcome = try learner.step(rateMultiplier: schedule.multiplier(step: step, totalSteps: steps)) {
                try $0.loss(inputs, targets, state: initial, training: true, using: &unused).loss
            }
            try progress("\(name): step \(step + 1) of \(steps), loss \(Figure.text(outcome.loss))")
        }
        return learner.model
    }
}
