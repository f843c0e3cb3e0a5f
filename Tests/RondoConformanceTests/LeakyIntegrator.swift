import RondoMixers
import RondoNN
import RondoTensor

/// Leaky integration: every channel of u = W x runs into a vessel that leaks at a rate of its own.
struct LeakyIntegrator: SequenceMixer {
    struct Configuration: MixerConfiguration {
        /// The vessels as a multiple of the model's width.
        var expansion = 1

        func validate(dModel: Int) throws {
            try requireValue((1...64).contains(expansion), "expansion", expansion, "from 1 to 64")
        }
    }

    static let card = MixerCard(
        name: "leaky_integrator", title: "Leaky integrator", family: .vectorState,
        summary: "channels run into vessels that leak at fixed rates",
        equations: """
            h = σ(a) ⊙ h⁻ + W x
            y = V tanh(h)
            """,
        source: "an example of this documentation",
        complexity: "sequence O(T D²) products and a scan O(T D); step O(D²); state expansion D")

    static let examples: [MixerExample<Configuration>] = [
        MixerExample("default", dModel: 5),
        MixerExample("wider", dModel: 3) { $0.expansion = 3 },
    ]

    let configuration: Configuration
    let dModel: Int
    var rate: Tensor
    var input: Linear
    var output: Linear

    init(_ configuration: Configuration, dModel: Int, dtype: DType, using generator: inout Generator) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let width = configuration.expansion * dModel
        rate = try generator.uniform([width], low: 0, high: 4, dtype: dtype)
        input = try Linear(inputSize: dModel, outputSize: width, bias: false, dtype: dtype, using: &generator)
        output = try Linear(inputSize: width, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    func initialState(batch: Int) throws -> MixerState {
        MixerState(batch: batch, ["h": try Tensor.zeros([batch, rate.shape[0]], dtype: rate.dtype)])
    }

    func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let scanned = try DiagonalScan()([rate.sigmoid(), input(x), state["h"]])
        state["h"] = scanned[1]
        state.advance(by: x.shape[1])
        return try output(scanned[0].tanh())
    }

    func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            state["h"] = try rate.sigmoid() * state["h"] + input(x)
            return try output(state["h"].tanh())
        }
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("rate", &rate)
        try input.forEachParameter(under: "input", visit)
        try output.forEachParameter(under: "output", visit)
    }
}
