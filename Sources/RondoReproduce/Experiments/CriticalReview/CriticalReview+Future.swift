import RondoMixers
import RondoNN
import RondoTensor

extension Experiment {
    static func future(_ trial: inout Trial) throws {
        let settings = FutureBits()
        try trial.record("future", settings)
        let width = settings.width
        let lstm = { (generator: inout Generator) in
            try LSTM(LSTM.Configuration(), dModel: width, dtype: .float32, using: &generator)
        }
        let causal = try settings.train("causal LSTM", outputs: width, trial, layer: lstm) { layer, x, _ in
            try layer.parallel(x)
        }
        trial.check(
            "accuracy, causal LSTM", try settings.accuracy(of: causal, seed: trial.seed), .within(0.47...0.53))
        let name = "LSTMs in both directions"
        let both = try settings.train(
            name, outputs: 2 * width, trial,
            layer: { try Bidirectional(forward: lstm(&$0), backward: lstm(&$0)) }, read: { try $0($1, lengths: $2) })
        trial.check("accuracy, \(name)", try settings.accuracy(of: both, seed: trial.seed), .atLeast(0.999))
        trial.check(
            "accuracy, both directions, rows of 8 to 20 positions, each reversed by its own length",
            try settings.accuracy(of: both, ragged: true, seed: trial.seed), .atLeast(0.999))
    }
}
