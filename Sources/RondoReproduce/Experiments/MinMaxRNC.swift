import RondoData
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTracking
import RondoTrain

extension Experiment {
    /// Ronca, 2026.
    static let minmaxRNC = Experiment(
        slug: "minmax-rnc", title: "MinMax Recurrent Neural Cascades",
        source: "A. Ronca; 2026; arXiv 2605.06384",
        claim: """
            A recurrence of maxima and minima stores values exactly for any length, trains by a parallel scan and \
            expresses all group-free languages, with matrices all regular ones.
            """,
        parts: [
            .quick(
                "scan-exactness", "Scan, chunks and loop give the same bits",
                paper: "The operators compose associatively, so that states are computed in depth O(log T).",
                run: MinMaxParts.scan),
            .quick(
                "exact-memory", "A latch holds a bit for a million steps, and so does its gradient",
                paper: "The gradient along a stored value is exactly 1 at any distance.", run: MinMaxParts.latch),
            .quick(
                "groups", "Matrix neurons compute parity and permutations exactly",
                paper: "Matrix neurons realise permutations, hence with cascades all regular languages.",
                run: MinMaxParts.groups),
            .full(
                "scalar-parity", "Scalar neurons do not learn parity beyond the training length",
                paper: "Scalar neurons express group-free languages only; parity is none.", run: MinMaxParts.parity),
            .full(
                "latching", "Trained on 64 tokens, exact after 65,536",
                paper: "Latching is solved perfectly and generalises to 1,024,000 tokens.", run: MinMaxParts.latching),
        ])
}

private enum MinMaxParts {
    static func scan(_ trial: inout Trial) throws {
        let shape: Shape = [1, 1000, 16]
        let (r, s) = (try trial.generator.normal(shape), try trial.generator.normal(shape))
        let start = try trial.generator.normal([1, 16])
        let serial = try plainLoop(r, s, start)
        let whole = try MinMaxRecurrence()([r, s, start])[0]
        trial.check("numbers that differ: kernel and loop", try whole.differences(from: serial), .equals(0))
        let scanned = try ClampMaps(upper: r, lower: s).prefixes()(start.expanded(at: 1))
        trial.check("numbers that differ: scan and loop", try scanned.differences(from: serial), .equals(0))
        for size in [1, 7, 64] {
            var (state, pieces) = (start, [Tensor]())
            for first in stride(from: 0, to: shape[1], by: size) {
                let range = first..<min(first + size, shape[1])
                let result = try MinMaxRecurrence()([r.sliced(1, range), s.sliced(1, range), state])
                pieces.append(result[0])
                state = result[1]
            }
            trial.check(
                "numbers that differ: chunks of \(size) and loop",
                try Tensor.concatenate(pieces, axis: 1).differences(from: serial), .equals(0))
        }
        try gradients(&trial, r, s, start)
    }

    /// x = max(min(r, x), s) in plain Swift.
    private static func plainLoop(_ r: Tensor, _ s: Tensor, _ start: Tensor) throws -> Tensor {
        let (time, width) = (r.shape[1], r.shape[2])
        let (upper, lower) = (try r.array(of: Float.self), try s.array(of: Float.self))
        var state = try start.array(of: Float.self)
        var states: [Float] = []
        for t in 0..<time {
            for i in 0..<width { state[i] = max(min(upper[t * width + i], state[i]), lower[t * width + i]) }
            states += state
        }
        return try Tensor(states, shape: r.shape)
    }

    private static func gradients(_ trial: inout Trial, _ r: Tensor, _ s: Tensor, _ start: Tensor) throws {
        let inputs = try [r, s, start].map { try $0.cast(to: .float64) }
        let weights = try trial.generator.normal(r.shape, dtype: .float64)
        func gradients(_ mode: FusedMode) throws -> [Tensor] {
            try valueAndGradient(of: inputs) { try (MinMaxRecurrence()($0, mode: mode)[0] * weights).sum() }.gradients
        }
        let (kernel, loop) = (try gradients(.kernel), try gradients(.reference))
        let routed = try ownerGradients(inputs, weights)
        for (name, index) in [("r", 0), ("s", 1), ("the first state", 2)] {
            trial.check(
                "gradient of \(name): kernel against derivatives of the loop",
                try (kernel[index] - loop[index]).abs().max().scalar(), .atMost(1e-12))
            trial.check(
                "gradient of \(name): owners against derivatives of the loop",
                try (routed[index] - loop[index]).abs().max().scalar(), .atMost(1e-12))
        }
    }

    /// Carries beside each state where its value comes from, and adds each cotangent there: no backward recurrence.
    private static func ownerGradients(_ inputs: [Tensor], _ weights: Tensor) throws -> [Tensor] {
        let (time, width) = (weights.shape[1], weights.shape[2])
        let values = try inputs.map { try $0.array(of: Double.self) }
        let cotangents = try weights.array(of: Double.self)
        var gradients = inputs.map { Array(repeating: 0.0, count: $0.count) }
        for i in 0..<width {
            var (state, owner) = (values[2][i], (input: 2, index: i))
            for t in 0..<time {
                let at = t * width + i
                if values[0][at] < state { (state, owner) = (values[0][at], (0, at)) }
                if values[1][at] >= state { (state, owner) = (values[1][at], (1, at)) }
                gradients[owner.input][owner.index] += cotangents[at]
            }
        }
        return try zip(gradients, inputs).map { try Tensor($0, shape: $1.shape) }
    }

    // MARK: - Memory

    /// A neuron whose bounds are a table of the token read: r, then s, row by row of its state.
    private static func neuron(_ size: Int, count: Int, _ bounds: [[Float]]) throws -> MinMaxRNC {
        var configuration = MinMaxRNC.Configuration()
        (configuration.stateSize, configuration.neuronSize) = (count, size)
        (configuration.arrangement, configuration.outputGate) = (.neuron, false)
        var unused = Generator(seed: 0)
        var mixer = try MinMaxRNC(configuration, dModel: bounds.count, using: &unused)
        let rows = try Tensor(bounds.flatMap { $0 }, shape: [bounds.count, bounds[0].count])
        mixer.bounds.weight = try rows.transposed().contiguous()
        return mixer
    }

    /// Reads one-hot tokens in pieces, as a stream; `visit` sees the first position of a piece and its states.
    private static func stream(
        _ mixer: MinMaxRNC, _ tokens: [Int32], from start: Tensor, _ trial: Trial,
        _ visit: (_ first: Int, _ states: [Float]) -> Void
    ) throws {
        var mixer = mixer
        // The output shows the states, as far as it has room.
        let (width, states) = (mixer.dModel, start.shape[1] * start.shape[2])
        mixer.output.weight = try Tensor.identity(max(width, states)).sliced(0, 0..<width).sliced(1, 0..<states)
            .contiguous()
        let (table, piece) = (try Tensor.identity(width), 20_000)
        var state = try mixer.initialState(batch: 1)
        state["h"] = start
        for first in stride(from: 0, to: tokens.count, by: piece) {
            try trial.progress("position \(first) of \(tokens.count)")
            let part = Array(tokens[first..<min(first + piece, tokens.count)])
            let x = try table.takingRows(Tensor(part)).expanded(at: 0)
            visit(first, try mixer.chunk(x, state: &state).array(of: Float.self))
        }
    }

    static func latch(_ trial: inout Trial) throws {
        let length = 1_000_000
        // Set, reset, hold.
        let mixer = try neuron(1, count: 1, [[2, 1], [-1, -2], [2, -2]])
        var tokens: [Int32] = [0]
        var expected: [Float] = [1]
        for _ in 1..<length {
            let draw = Int.random(in: 0..<1000, using: &trial.generator)
            tokens.append(draw == 0 ? 0 : draw == 1 ? 1 : 2)
            expected.append(draw == 0 ? 1 : draw == 1 ? -1 : expected[expected.count - 1])
        }
        var errors = 0
        try stream(mixer, tokens, from: Tensor.zeros([1, 1, 1]), trial) { first, states in
            for index in 0..<states.count / 3 where states[3 * index] != expected[first + index] { errors += 1 }
        }
        trial.check("wrong states in 1,000,000 steps", Double(errors), .equals(0))
        let bounds = try [2.0, -2].map { try Tensor.full([1, length, 1], $0) }
        let gradient = try valueAndGradient(of: [Tensor.ones([1, 1])]) {
            try MinMaxRecurrence()(bounds + $0)[1].sum()
        }.gradients[0].scalar()
        trial.check("gradient of the state to the one 1,000,000 steps before", gradient, .equals(1))
        for (name, cell) in [("LSTM", RecurrentCell.lstm), ("GRU", .gru)] {
            trial.check(
                "the same of \(name == "LSTM" ? "an LSTM" : "a GRU") whose gates hold at 6",
                try gatedGradient(cell, length: length),
                .atMost(1e-100))
            trial.show("\(name) at distance 10,000", try gatedGradient(cell, length: 10_000))
        }
        trial.note("Set and reset have a chance of 1 / 1000 each; all other steps hold.")
    }

    /// The derivative of the last state to the first for gates that hold as far as a pre-activation of 6 can.
    private static func gatedGradient(_ cell: RecurrentCell, length: Int) throws -> Double {
        // LSTM: i, f, z, o; GRU: r, z, n.
        let gates = cell == .lstm ? [-6.0, 6, 0, 0] : [0.0, 6, 0]
        let row = try Tensor(gates, shape: [1, gates.count])
        let projection = try row.broadcast(to: [length, gates.count]).contiguous()
        let recurrent = try Tensor.zeros([cell.recurrentGates.count, 1, 1, 1], dtype: .float64)
        let extras = try cell == .gru ? Tensor.zeros([1, 1], dtype: .float64) : nil
        let states = try cell.stateNames.map { _ in try Tensor.zeros([1, 1], dtype: .float64) }
        return try valueAndGradient(of: [Tensor.ones([1, 1], dtype: .float64)]) { first in
            let operands = RecurrentLoop.Operands(
                projection: projection, recurrent: recurrent, states: states.dropLast() + first, extras: extras)
            let result = try RecurrentLoop.run(cell, operands)
            return try result.states[states.count - 1].sum()
        }.gradients[0].scalar()
    }

    // MARK: - Groups

    static func groups(_ trial: inout Trial) throws {
        let length = 1_000_000
        for (name, permutations) in [
            ("parity (N = 2)", [[0, 1], [1, 0]]),
            (
                "permutations of three (N = 3)",
                [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
            ),
        ] {
            let errors = try permutationErrors(permutations, length: length, &trial)
            trial.check("wrong states in 1,000,000 steps: \(name)", Double(errors), .equals(0))
        }
        trial.note(
            "The matrices are permutations with entries 1 and 0, the floor is 0. Neuron i begins at the i-th unit vector, "
                + "so that all neurons together hold the product of all permutations read.")
    }

    private static func permutationErrors(
        _ permutations: [[Int]], length: Int, _ trial: inout Trial
    ) throws -> Int {
        let size = permutations[0].count
        // r_ij = 1 where the token's permutation takes j to i, the same for every neuron; s = 0.
        let bounds = permutations.map { permutation in
            (0..<size * size).flatMap { ij -> [Float] in
                Array(repeating: permutation[ij % size] == ij / size ? 1 : 0, count: size)
            } + Array(repeating: 0, count: size * size)
        }
        // As many neurons as the output has room for.
        let count = min(size, permutations.count / size)
        let trimmed = bounds.map { row in (0..<row.count / size).flatMap { row[$0 * size..<$0 * size + count] } }
        let mixer = try neuron(size, count: count, trimmed)
        let tokens = (0..<length).map { _ in Int32.random(in: 0..<Int32(permutations.count), using: &trial.generator) }
        let start = try Tensor.identity(size).sliced(1, 0..<count).contiguous().expanded(at: 0)
        var (product, errors) = (Array(0..<size), 0)
        try stream(mixer, tokens, from: start, trial) { first, states in
            let width = permutations.count
            for index in 0..<states.count / width {
                product = product.map { permutations[Int(tokens[first + index])][$0] }
                // States lie number by number, neurons beside each other.
                let isRight = (0..<count).allSatisfy { neuron in
                    (0..<size).allSatisfy {
                        states[index * width + $0 * count + neuron] == (product[neuron] == $0 ? 1 : 0)
                    }
                }
                if !isRight { errors += 1 }
            }
        }
        return errors
    }

    // MARK: - Training

    private static func training(_ mixer: String, _ options: JSONValue?, seed: UInt64) -> TaskTraining {
        var model = LanguageModelConfiguration(mixer: mixer, dModel: 32, nLayers: 2)
        model.mixerOptions = options
        var training = TaskTraining(model: model)
        (training.batchSize, training.seed) = (32, seed)
        training.optimizer = OptimizerConfiguration(.adamw, learningRate: 3e-3)
        training.optimizer.weightDecay = 0
        training.schedule = ScheduleConfiguration(.cosine, warmupSteps: 50)
        return training
    }

    static func parity(_ trial: inout Trial) throws {
        for (name, size) in [("scalar neurons", 1), ("matrix neurons, N = 2", 2)] {
            var training = training(
                "minmax_rnc", ["state_size": .integer(24), "neuron_size": .integer(UInt64(size))], seed: trial.seed)
            training.steps = 1000
            var trainer = try TaskTrainer(ParityTask(), training)
            try trial.record(name, training)
            try trainer.run { step, loss in
                try trial.progress("\(name): step \(step) of \(training.steps), loss \(Figure.text(loss))")
            }
            for length in [40, 256] {
                let accuracy = try trainer.score(length: length).accuracy ?? 0
                let label = "accuracy at length \(length), \(name)"
                if length == 40 {
                    trial.show(label, accuracy)
                } else {
                    trial.check(label, accuracy, size == 1 ? .atMost(0.6) : .atLeast(0.99))
                }
            }
        }
        trial.note(
            "Trained on lengths 3 to 40. The paper's way to make matrices of inputs is not public; here a linear map does."
        )
    }

    static func latching(_ trial: inout Trial) throws {
        let task = LatchingTask()
        for (mixer, options) in [
            ("minmax_rnc", ["state_size": .integer(24)] as JSONValue?), ("gru", nil),
        ] {
            var training = training(mixer, options, seed: trial.seed)
            (training.steps, training.minLength, training.maxLength) = (1500, 32, 64)
            var trainer = try TaskTrainer(task, training)
            try trial.record(mixer, training)
            try trainer.run { step, loss in
                try trial.progress("\(mixer): step \(step) of \(training.steps), loss \(Figure.text(loss))")
            }
            trial.show("parameters, \(mixer)", Double(trainer.model.parameterCount))
            trial.show("accuracy at length 64, \(mixer)", try trainer.score(length: 64).accuracy ?? 0)
            let accuracy = try streamedAccuracy(trainer.model, task, length: 65_536, &trial)
            trial.check(
                "accuracy over 65,536 tokens, \(mixer)", accuracy, mixer == "gru" ? .atMost(0.9) : .atLeast(0.999))
        }
        trial.note("Eight sequences, read as streams in pieces of 1024 tokens.")
    }

    private static func streamedAccuracy(
        _ model: TaskModel, _ task: LatchingTask, length: Int, _ trial: inout Trial
    ) throws -> Double {
        let (rows, piece) = (8, 1024)
        let batch = try task.batch(rows, length: length, using: &trial.generator)
        var (state, right) = (try model.initialState(batch: rows), 0.0)
        for first in stride(from: 0, to: length, by: piece) {
            try trial.progress("position \(first) of \(length)")
            let range = first..<min(first + piece, length)
            let guesses = try model(batch.inputs.sliced(1, range), state: &state).argmax()
            let answers = try batch.targets.sliced(1, range)
            right += Double(rows * range.count) - (try guesses.differences(from: answers))
        }
        return right / Double(rows * length)
    }
}
