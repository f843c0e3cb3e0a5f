import RondoData
import RondoNN
import RondoTensor

/// Recurrent layers on one-hot tokens with a linear readout: the models of the survey, nothing around them.
struct CellClassifier: Module {
    var stack: RecurrentStack
    var head: Linear

    /// Draws the weights of `tokens` inputs, one layer of `units` and `classes` outputs.
    init(
        _ cell: RecurrentCell, tokens: Int, units: Int, classes: Int, keepBias: Double? = nil, dtype: DType = .float32,
        using generator: inout Generator
    ) throws {
        var configuration = RecurrentConfiguration(cell: cell, inputSize: tokens, hiddenSize: units)
        configuration.keepBias = keepBias
        stack = try RecurrentStack(configuration, dtype: dtype, using: &generator)
        head = try Linear(inputSize: units, outputSize: classes, dtype: dtype, using: &generator)
    }

    /// Reads tokens `[batch, time]`: the hidden states `[batch, time, units]`.
    func hidden(_ tokens: Tensor, state: inout RecurrentState) throws -> Tensor {
        let (batch, time) = (tokens.shape[0], tokens.shape[1])
        let table = try stack.projectingInput(
            Tensor.identity(stack.configuration.inputSize, dtype: head.weight.dtype))
        let rows = try table.takingRows(tokens.transposed(0, 1).reshaped([time * batch]))
        var unused = Generator(seed: 0)
        let result = try stack(
            projected: rows.reshaped([time, batch, table.shape[1]]).transposed(0, 1), state: state, training: false,
            using: &unused)
        state = result.state
        return result.output
    }

    /// The mean cross-entropy over what is asked in `targets` `[batch, time]`.
    func loss(_ tokens: Tensor, _ targets: Tensor, state: inout RecurrentState) throws -> Tensor {
        try Loss.crossEntropy(
            head(hidden(tokens, state: &state)), targets, ignoredTarget: TaskExample.unasked)
    }

    /// The share of asked positions that are answered rightly, from the initial state.
    func accuracy(_ tokens: Tensor, _ targets: Tensor) throws -> Double {
        var state = try stack.initialState(batch: tokens.shape[0])
        return try Self.accuracy(head(hidden(tokens, state: &state)), targets)
    }

    /// The share of asked positions of which the largest score is the target's.
    static func accuracy(_ scores: Tensor, _ targets: Tensor) throws -> Double {
        let (guesses, answers) = (try scores.argmax().array(of: Int32.self), try targets.array(of: Int32.self))
        let asked = zip(guesses, answers).filter { $0.1 != TaskExample.unasked }
        return Double(asked.count { $0.0 == $0.1 }) / Double(max(1, asked.count))
    }

    /// ‖∂h(T) / ∂s(1)‖ (Frobenius) for every state s of the layer, where h(1), … are those after the first token.
    ///
    /// One backward pass: row i of the batch is the same sequence with the i-th unit of h(T) as its result.
    func jacobianNorms(_ tokens: [Int32]) throws -> [Double] {
        let units = stack.configuration.hiddenSize
        let rows = try Tensor(Array(repeating: tokens, count: units).flatMap { $0 }, shape: [units, tokens.count])
        var first = try stack.initialState(batch: units)
        _ = try hidden(rows.sliced(1, 0..<1), state: &first)
        let (_, pullback) = try valuesAndPullback(of: first.layers[0]) { tracked in
            var state = first
            state.layers[0] = tracked
            _ = try hidden(rows.sliced(1, 1..<tokens.count), state: &state)
            return [state.layers[0][0]]
        }
        let gradients = try pullback([Tensor.identity(units, dtype: head.weight.dtype)])
        return try gradients.map { try $0.sumOfSquares().squareRoot() }
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try stack.forEachParameter(under: "stack", visit)
        try head.forEachParameter(under: "head", visit)
    }
}
