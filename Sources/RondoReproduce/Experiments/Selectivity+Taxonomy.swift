import RondoIO
import RondoMixers
import RondoTensor

/// What a recurrence does to a small change of its state in one step, measured on the mixer itself.
private struct Transition {
    /// For every number of the state that is changed, the change of all numbers after the step.
    var matrices: [[[Double]]]

    /// Measures the steps that two inputs make from the same state.
    ///
    /// - Parameters:
    ///   - mixer: The mixer.
    ///   - leaf: The tensor of its state.
    ///   - generator: Draws inputs and states.
    /// - Throws: `RondoError` if the mixer refuses.
    init(_ mixer: some SequenceMixer, leaf: String, using generator: inout Generator) throws {
        func draw(_ time: Int) throws -> Tensor {
            try generator.normal([1, time, mixer.dModel], dtype: .float64)
        }
        var begun = try mixer.initialState(batch: 1)
        _ = try mixer.chunk(draw(6), state: &begun)
        func after(_ x: Tensor, _ values: [Double]) throws -> [Double] {
            var state = begun
            state[leaf] = try Tensor(values, shape: begun[leaf].shape)
            _ = try mixer.step(x.selecting(1, 0), state: &state)
            return try state[leaf].array(of: Double.self)
        }
        let start = try begun[leaf].array(of: Double.self)
        let change = 1e-5
        matrices = try (0..<2).map { _ in
            let x = try draw(1)
            return try start.indices.map { place in
                var (up, down) = (start, start)
                up[place] += change
                down[place] -= change
                return try zip(after(x, up), after(x, down)).map { ($0 - $1) / (2 * change) }
            }
        }
    }

    /// Whether another input makes another transition.
    var dependsOnInput: Bool {
        zip(matrices[0], matrices[1]).contains { zip($0, $1).contains { abs($0 - $1) > 1e-6 } }
    }

    /// Whether a number of the state reaches another one in one step.
    var mixesChannels: Bool {
        matrices[0].enumerated().contains { place, row in
            row.enumerated().contains { $0.offset != place && abs($0.element) > 1e-6 }
        }
    }

    /// Whether all numbers of a state fade alike: one scalar for the whole matrix of a head.
    func isScalar(heads: Int) -> Bool {
        guard !mixesChannels else { return false }
        let diagonal = matrices[0].indices.map { matrices[0][$0][$0] }
        let size = diagonal.count / heads
        return (0..<heads).allSatisfy { head in
            let own = diagonal[head * size..<(head + 1) * size]
            return (own.max() ?? 0) - (own.min() ?? 0) < 1e-6
        }
    }

    /// Whether there is something that a step cannot let fade: a direction of the state whose length stays.
    var forgetsEverything: Bool { matrices.allSatisfy { Self.norm($0) < 1 - 1e-6 } }

    /// The largest factor by which a step stretches a state: the spectral norm, by power iteration.
    private static func norm(_ rows: [[Double]]) -> Double {
        var vector = rows.indices.map { 1 + 0.1 * Double($0 % 7) }
        var length = 0.0
        for _ in 0..<200 {
            let image = (rows.first ?? []).indices.map { column in
                zip(vector, rows).reduce(0) { $0 + $1.0 * $1.1[column] }
            }
            vector = rows.map { row in zip(row, image).reduce(0) { $0 + $1.0 * $1.1 } }
            length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
            vector = vector.map { $0 / max(length, .leastNormalMagnitude) }
        }
        return length.squareRoot()
    }
}

extension Experiment {
    /// What the taxonomy says of a mixer.
    private struct Kind {
        var mixer: String
        var options: JSONValue?
        var leaf = "s"
        var shape: Shape
        var dependsOnInput: Bool
        var forgets: Bool

        enum Shape: String {
            case scalar, diagonal, mixing
        }
    }

    private static let kinds: [Kind] = [
        Kind(mixer: "linear_attention", options: heads(2), shape: .scalar, dependsOnInput: false, forgets: false),
        Kind(mixer: "retnet", options: heads(2), shape: .scalar, dependsOnInput: false, forgets: true),
        Kind(
            mixer: "s4d", options: ["state_size": .integer(4)], leaf: "real", shape: .diagonal, dependsOnInput: false,
            forgets: true),
        Kind(
            mixer: "mamba2", options: ["state_size": .integer(4), "head_size": .integer(4)], leaf: "ssm",
            shape: .scalar,
            dependsOnInput: true, forgets: true),
        Kind(
            mixer: "mamba", options: ["state_size": .integer(3)], leaf: "ssm", shape: .diagonal, dependsOnInput: true,
            forgets: true),
        Kind(mixer: "gla", options: heads(2), shape: .diagonal, dependsOnInput: true, forgets: true),
        Kind(mixer: "hgrn2", options: heads(2), shape: .diagonal, dependsOnInput: true, forgets: true),
        Kind(mixer: "delta_net", options: heads(2), shape: .mixing, dependsOnInput: true, forgets: false),
        Kind(mixer: "delta_product", options: heads(2), shape: .mixing, dependsOnInput: true, forgets: false),
        Kind(
            mixer: "delta_product", options: ["heads": .integer(2), "gated": .bool(true)], shape: .mixing,
            dependsOnInput: true, forgets: true),
        Kind(mixer: "gated_delta_net", options: heads(2), shape: .mixing, dependsOnInput: true, forgets: true),
    ]

    private static func heads(_ count: UInt64) -> JSONValue { ["heads": .integer(count)] }

    /// Measures every transition and compares it with what the taxonomy says.
    static func transitionTaxonomy(_ trial: inout Trial) throws {
        var rows: [[String]] = []
        for kind in kinds {
            let type = try MixerRegistry.mixer(named: kind.mixer)
            let (measured, shape) = try measure(type, kind, &trial)
            let isGated = kind.options?["gated"] == .bool(true)
            let name = kind.mixer + (isGated ? ", gated" : "")
            rows.append([
                name, measured.dependsOnInput ? "from the input" : "fixed", shape.rawValue,
                measured.forgetsEverything ? "yes" : "no",
            ])
            trial.check(
                "\(name) is as the taxonomy says",
                measured.dependsOnInput == kind.dependsOnInput && shape == kind.shape
                    && measured.forgetsEverything == kind.forgets)
        }
        trial.table("Transitions, measured", ["mixer", "A is", "A is", "forgets everything"], rows)
        trial.note(
            "Each number of the state is changed a little, and the change after one step gives a column of A. Gates of "
                + "what is written cannot be told from keys and values that way and are left out.")
    }

    private static func measure<Mixer: SequenceMixer>(
        _ type: Mixer.Type, _ kind: Kind, _ trial: inout Trial
    ) throws -> (Transition, Kind.Shape) {
        let mixer = try Mixer.make(options: kind.options, dModel: 8, dtype: .float64, using: &trial.generator)
        let leaf = kind.leaf
        let transition = try Transition(mixer, leaf: leaf, using: &trial.generator)
        let state = try mixer.initialState(batch: 1)[leaf]
        let heads = state.rank == 4 ? state.shape[1] : 1
        return (
            transition, transition.mixesChannels ? .mixing : transition.isScalar(heads: heads) ? .scalar : .diagonal
        )
    }
}
