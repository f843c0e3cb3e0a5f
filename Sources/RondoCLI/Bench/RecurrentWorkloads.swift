import RondoNN
import RondoTensor

extension Workload {
    /// Forward and backward through one layer, as in training, for the cells that peers have.
    static let recurrentTraining = [
        layerTraining("lstm_train", .lstm), layerTraining("gru_train", .gru), layerTraining("elman_train", .elmanTanh),
    ]

    private static let layerShapes = [(32, 128, 256), (8, 512, 512), (64, 64, 128), (1, 1024, 256)]

    private static func layerTraining(_ name: String, _ cell: RecurrentCell) -> Workload {
        Workload(name: name, summary: "one \(cell.rawValue) layer, forward and backward, four shapes") { report in
            var generator = Generator(seed: 0)
            for (batch, time, width) in layerShapes {
                let stack = try RecurrentStack(
                    RecurrentConfiguration(cell: cell, inputSize: width, hiddenSize: width), using: &generator)
                let parameters = stack.parameters.tensors
                let x = try generator.normal([batch, time, width])
                let state = try stack.initialState(batch: batch)
                let seconds = try Stopwatch.median(repetitions: 7, warmup: 2) {
                    _ = try valueAndGradient(of: parameters + [x]) { tracked in
                        let layer = stack.replacingParameters(tracked.dropLast())
                        return try layer(tracked[parameters.count], state: state).output.square().mean()
                    }
                }
                try report(
                    Measurement(
                        workload: name, shape: ["batch": batch, "time": time, "width": width], seconds: seconds,
                        unit: "tokens/s", rate: Double(batch * time) / seconds))
            }
        }
    }

    /// Block-diagonal recurrent matrices over projected inputs: what peers without a fused kernel do step by step.
    static let headwiseTraining = Workload(
        name: "headwise_train", summary: "head-wise LSTM and sLSTM over projected inputs, forward and backward"
    ) { report in
        var generator = Generator(seed: 0)
        for (name, cell) in [("lstm", RecurrentCell.lstm), ("slstm", .slstm)] {
            for (heads, width) in [(48, 16), (12, 64)] {
                let (batch, time, hidden) = (16, 256, heads * width)
                let projected = try generator.normal([time * batch, 4 * hidden])
                let recurrent = try generator.normal(
                    [4, heads, width, width], deviation: 1 / Double(width).squareRoot())
                let states = try cell.stateNames.map { _ in try Tensor.zeros([batch, hidden]) }
                let seconds = try Stopwatch.median(repetitions: 7, warmup: 2) {
                    _ = try valueAndGradient(of: [projected, recurrent]) { tracked in
                        try RecurrentLoop.run(
                            cell, .init(projection: tracked[0], recurrent: tracked[1], states: states)
                        ).output.square().mean()
                    }
                }
                try report(
                    Measurement(
                        workload: "headwise_\(name)_train",
                        shape: ["batch": batch, "time": time, "heads": heads, "head_width": width], seconds: seconds,
                        unit: "tokens/s", rate: Double(batch * time) / seconds))
            }
        }
    }
}

extension Workload {
    /// One position at batch 1 with the state carried on: what streaming costs.
    static let streamingStep = Workload(
        name: "streaming_step", summary: "one LSTM position at batch 1, 2 x 512 and 64 to 128"
    ) { report in
        var generator = Generator(seed: 0)
        for (inputs, hidden, layers) in [(512, 512, 2), (64, 128, 1)] {
            let stack = try RecurrentStack(
                RecurrentConfiguration(inputSize: inputs, hiddenSize: hidden, layers: layers), using: &generator)
            var stepper = try RecurrentStepper(stack, batch: 1)
            var state = try stack.initialState(batch: 1)
            let x = try generator.normal([1, inputs])
            let steps = 100
            let seconds = try Stopwatch.median(repetitions: 21, warmup: 3) {
                for _ in 0..<steps { try stepper(x, state: &state) }
            }
            try report(
                Measurement(
                    workload: "streaming_step", shape: ["inputs": inputs, "hidden": hidden, "layers": layers],
                    seconds: seconds / Double(steps), unit: "steps/s", rate: Double(steps) / seconds))
        }
    }
}
