import RondoDiagnostics
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import Testing

@Suite struct MemoryHorizonTests {
    @Test func aLinearRecurrenceForgetsByItsDecay() throws {
        let (decay, length) = (0.9, 12)
        var generator = Generator(seed: 1)
        let x = try generator.normal([3, length, 1], dtype: .float64)
        let horizon = try MemoryHorizon(of: x) { x in
            let keep = try Tensor.full([3, length, 1], decay, dtype: .float64)
            return try DiagonalScan()([keep, x, Tensor.zeros([3, 1], dtype: .float64)])[1].sum()
        }
        var expected = 1.0
        for norm in horizon.norms {
            #expect(abs(norm - expected) < 1e-12)
            expected *= decay
        }
        #expect(horizon.norms.count == length)
        #expect(horizon.reach(share: 0.5) == 6)
    }

    @Test func aWindowOfAttentionEndsTheHorizon() throws {
        var generator = Generator(seed: 1)
        var configuration = LanguageModelConfiguration(mixer: "sliding_window", dModel: 8, nLayers: 1)
        configuration.vocabSize = 16
        configuration.mixerOptions = ["heads": .integer(2), "window": .integer(4)]
        let model = try LanguageModel(configuration, using: &generator)
        let rows = (0..<2).map { row in (0..<16).map { Int32(($0 * 5 + row) % 16) } }
        let horizon = try MemoryHorizon(of: model, rows: rows)
        #expect(horizon.norms.count == 15)
        #expect(horizon.norms[3] > 0)
        #expect(horizon.norms[4...].allSatisfy { $0 == 0 })
    }

    @Test func rowsOfDifferentLengthAreRefused() throws {
        var generator = Generator(seed: 1)
        let model = try LanguageModel(LanguageModelConfiguration(mixer: "gru", dModel: 8), using: &generator)
        #expect(throws: RondoError.self) { try MemoryHorizon(of: model, rows: [[1, 2, 3], [1, 2]]) }
    }
}

@Suite struct TransitionTests {
    /// Real diagonal maps: a difference of states is multiplied by the eigenvalues, whatever is read.
    @Test(arguments: ["mamba", "mamba2", "gla", "retnet", "hgrn", "hgrn2", "rg_lru", "min_gru", "min_lstm"])
    func diagonalMapsMultiplyDifferences(name: String) throws {
        var generator = Generator(seed: 3)
        let mixer = try MixerRegistry.mixer(named: name).make(
            options: name == "mamba2" ? ["head_size": .integer(4), "state_size": .integer(3)] : nil, dModel: 8,
            dtype: .float64, using: &generator)
        let reporting = try #require(mixer as? any TransitionReporting)
        let x = try generator.normal([1, 1, 8], dtype: .float64)
        var first = try mixer.initialState(batch: 1)
        _ = try mixer.chunk(generator.normal([1, 5, 8], dtype: .float64), state: &first)
        let leaf = try #require(first.names.first { ["h", "s", "ssm"].contains($0) })
        var second = first
        let difference = try generator.normal(first[leaf].shape, dtype: .float64)
        second[leaf] = try second[leaf] + difference
        let reported = try reporting.transitionEigenvalues(x, state: first)
        _ = try mixer.chunk(x, state: &first)
        _ = try mixer.chunk(x, state: &second)
        let after = try (second[leaf] - first[leaf]).contiguous().array(of: Double.self)
        let before = try difference.array(of: Double.self)
        let eigenvalues = try reported.real.contiguous().array(of: Double.self)
        #expect(try reported.imaginary.abs().max().scalar() == 0)
        let repeats = after.count / eigenvalues.count
        for (index, value) in after.enumerated() {
            #expect(abs(value - eigenvalues[index / repeats] * before[index]) < 1e-9, "\(name), element \(index)")
        }
    }

    @Test(arguments: ["lru", "s4d"]) func complexMapsTurnDifferences(name: String) throws {
        var generator = Generator(seed: 3)
        let mixer = try MixerRegistry.mixer(named: name).make(
            options: nil, dModel: 4, dtype: .float64, using: &generator)
        let reporting = try #require(mixer as? any TransitionReporting)
        var first = try mixer.initialState(batch: 1)
        var second = first
        let parts = try (0..<2).map { _ in try generator.normal(first["real"].shape, dtype: .float64) }
        (second["real"], second["imaginary"]) = (parts[0], parts[1])
        let x = try generator.normal([1, 1, 4], dtype: .float64)
        let eigenvalues = try reporting.transitionEigenvalues(x, state: first)
        _ = try mixer.chunk(x, state: &first)
        _ = try mixer.chunk(x, state: &second)
        let flat: Shape = [1, 1, -1]
        let expected = try eigenvalues * ComplexTensor(parts[0].reshaped(flat), parts[1].reshaped(flat))
        for (name, own) in [("real", expected.real), ("imaginary", expected.imaginary)] {
            let after = try (second[name] - first[name]).reshaped(flat)
            #expect(try (after - own).abs().max().scalar() < 1e-10)
        }
    }

    @Test(arguments: ["hgrn", "hgrn2"]) func boundsLearnedTogetherCount(name: String) throws {
        var configuration = LanguageModelConfiguration(mixer: name, dModel: 8, nLayers: 2)
        (configuration.vocabSize, configuration.mixerOptions) = (16, ["learned_bounds": .bool(true)])
        var generator = Generator(seed: 1)
        var model = try LanguageModel(configuration, using: &generator)
        try model.forEachParameter { path, parameter in
            if path == "layers.1.mixer.bound_logits" { parameter = try Tensor.full(parameter.shape, 7) }
        }
        let spectra = try TransitionSpectrum.measure(model, rows: [(0..<9).map { Int32($0) }])
        #expect(spectra.count == 2)
        #expect(spectra[0].quantiles[0] < 0.9)
        #expect(spectra[1].quantiles[0] > 0.999)
    }

    /// Of (1 - β) along the key and 1 elsewhere, the trace is n - β.
    @Test func deltaRulesReportTheFactorAlongTheKey() throws {
        var generator = Generator(seed: 3)
        let mixer = try MixerRegistry.mixer(named: "delta_net").make(
            options: ["heads": .integer(1), "eigenvalues": .string("symmetric")], dModel: 6, dtype: .float64,
            using: &generator)
        let reporting = try #require(mixer as? any TransitionReporting)
        var first = try mixer.initialState(batch: 1)
        var second = first
        let width = first["s"].shape[2]
        second["s"] = try Tensor.identity(width, dtype: .float64).reshaped([1, 1, width, width])
        let x = try generator.normal([1, 1, 6], dtype: .float64)
        let factor: Double = try reporting.transitionEigenvalues(x, state: first).real.reshaped([]).scalar()
        _ = try mixer.chunk(x, state: &first)
        _ = try mixer.chunk(x, state: &second)
        let trace: Double = try ((second["s"] - first["s"]) * Tensor.identity(width, dtype: .float64)).sum().scalar()
        #expect(abs(trace - (Double(width - 1) + factor)) < 1e-4)
        #expect(factor > -1 && factor < 1)
    }

    @Test func spectraAreCounted() throws {
        let values = ComplexTensor(try Tensor([0.5, -0.5, 0, 0.99]), try Tensor([0, 0, 1.0, 0]))
        let spectrum = try TransitionSpectrum(values, layer: 1, mixer: "m")
        #expect(spectrum.count == 4 && spectrum.negativeShare == 0.25 && spectrum.complexShare == 0.25)
        #expect(spectrum.histogram[25] == 2 && spectrum.histogram[49] == 2)
        #expect(TransitionSpectrum.timescale(ofModulus: 1) == .infinity)
        #expect(abs(TransitionSpectrum.timescale(ofModulus: 0.9) - 9.49122) < 1e-4)
    }
}

@Suite struct ModelDiagnosisTests {
    private func model(_ mixer: String) throws -> LanguageModel {
        var generator = Generator(seed: 5)
        var configuration = LanguageModelConfiguration(mixer: mixer, dModel: 16, nLayers: 2)
        configuration.vocabSize = 32
        return try LanguageModel(configuration, using: &generator)
    }

    private func rows(_ options: DiagnosisOptions) -> [[Int32]] {
        var generator = Generator(seed: 9)
        return (0..<options.rows).map { _ in
            (0...options.length).map { _ in Int32.random(in: 0..<32, using: &generator) }
        }
    }

    private var options: DiagnosisOptions {
        var options = DiagnosisOptions()
        (options.length, options.rows, options.horizon, options.trainingLength) = (160, 2, 32, 32)
        (options.timescaleSteps, options.unitsPerState) = (120, 4)
        return options
    }

    @Test(arguments: ["gru", "mamba2", "lru", "attention"]) func allPartsAreMeasured(mixer: String) throws {
        let diagnosis = try ModelDiagnosis(of: model(mixer), options: options, rows: rows(options))
        #expect(diagnosis.loss.buckets.last?.end == 160)
        #expect(diagnosis.loss.buckets.allSatisfy { $0.mean > 1 && $0.mean < 6 })
        #expect(diagnosis.firstNotFinite == nil)
        #expect(diagnosis.states.leaves.isEmpty == (mixer == "attention"))
        #expect(diagnosis.states.leaves.allSatisfy { $0.points.last?.position == 160 })
        #expect(diagnosis.states.leaves.allSatisfy { !$0.name.hasSuffix("conv") })
        #expect(diagnosis.horizon.norms.count == 33)
        #expect(diagnosis.recall?.points.isEmpty == false)
        #expect(diagnosis.transitions.count == (["mamba2", "lru"].contains(mixer) ? 2 : 0))
        #expect(diagnosis.timescales.isEmpty == (mixer == "attention"))
        let tree = try StrictJSON.tree(of: diagnosis)
        #expect(try StrictJSON.decode(ModelDiagnosis.self, from: tree, source: "test") == diagnosis)
    }

    @Test func theLossIsThatOfTheModel() throws {
        let (model, options) = (try model("gru"), options)
        let rows = rows(options)
        let diagnosis = try ModelDiagnosis(of: model, options: options, rows: rows)
        var unused = Generator(seed: 0)
        let inputs = try Tensor(rows.flatMap { $0.prefix(160) }, shape: [2, 160])
        let targets = try Tensor(rows.flatMap { $0.suffix(160) }, shape: [2, 160])
        let expected: Double = try model.loss(
            inputs, targets, state: model.initialState(batch: 2), training: false, using: &unused
        ).loss.scalar()
        let mean = diagnosis.loss.buckets.reduce(0) { $0 + $1.mean * Double($1.end - $1.start) } / 160
        #expect(abs(mean - expected) < 1e-4)
    }

    @Test func aModelThatCopiesFindsPairsAgain() throws {
        // Full attention of a trained model would be needed for a gain; without a planted pair there is none at all.
        var generator = Generator(seed: 2)
        let rows = rows(options)
        let recall = try RecallByDistance(of: model("gru"), rows: rows, distances: [4, 64], using: &generator)
        #expect(recall.points.map(\.distance) == [4, 64])
        #expect(abs(recall.points[1].gain) < abs(recall.points[0].gain) + 0.1)
        #expect(recall.points.allSatisfy { $0.probability > 0 && $0.probability < 1 })
    }

    @Test func itStopsWhenAsked() throws {
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try ModelDiagnosis(of: model("gru"), options: options, rows: rows(options)) { text in
                if text.hasPrefix("reading: position 64") { throw Stop() }
            }
        }
    }

    @Test func damagedModelsAreReportedNotRefused() throws {
        var model = try model("gru")
        var index = 0
        try model.forEachParameter { path, tensor in
            if path.hasPrefix("head") { tensor = try tensor * 1e38 * 1e38 }
            index += 1
        }
        let diagnosis = try ModelDiagnosis(of: model, options: options, rows: rows(options))
        #expect(diagnosis.firstNotFinite == 0)
    }

    @Test func bucketsHoldMeanAndSpread() {
        let losses = [[Double](repeating: 1, count: 20), [Double](repeating: 3, count: 20)]
        let loss = LossByPosition(losses, bucketing: .powersOfTwo)
        #expect(loss.buckets.map(\.end) == [8, 16, 20])
        #expect(loss.buckets.allSatisfy { $0.mean == 2 && abs($0.spread - Double(2).squareRoot()) < 1e-12 })
        #expect(LossByPosition(losses, bucketing: .linear).buckets.count == 16)
    }
}

@Suite struct MixerOptionTests {
    @Test func aModelForgetsWithOptionsItWasNotTrainedWith() throws {
        var generator = Generator(seed: 5)
        var configuration = LanguageModelConfiguration(mixer: "mamba2", dModel: 8, nLayers: 2)
        configuration.vocabSize = 16
        let model = try LanguageModel(configuration, using: &generator)
        let tokens = try Tensor((0..<40).map { Int32($0 * 7 % 16) }, shape: [1, 40])
        func states(_ options: JSONObject) throws -> [Tensor] {
            let changed = try model.withMixerOptions(options)
            var state = try changed.initialState(batch: 1)
            _ = try changed.logits(tokens, state: &state)
            return state.layers.map { $0["ssm"] }
        }
        var bound = JSONObject()
        bound["max_state_norm"] = .real(0.01)
        for state in try states(bound) {
            #expect(try state.square().sum([2, 3]).sqrt().max().scalar() <= 0.01 + 1e-6)
        }
        var retention = JSONObject()
        retention["retention"] = .real(0.5)
        let plain = try states(JSONObject())
        let less = try states(retention)
        let norms = try zip(plain, less).map {
            (try $0.square().sum().scalar() as Double, try $1.square().sum().scalar() as Double)
        }
        #expect(norms.allSatisfy { $0.1 < $0.0 })
        var size = JSONObject()
        size["state_size"] = .integer(5)
        #expect(throws: RondoError.self) { try model.withMixerOptions(size) }
        var unknown = JSONObject()
        unknown["no_such"] = .integer(5)
        #expect(throws: RondoError.self) { try model.withMixerOptions(unknown) }
    }

    /// A window of r positions is a state that has read nothing but the last r.
    @Test func aWindowIsAStateThatReadTheLastPositions() throws {
        var generator = Generator(seed: 5)
        var options = Mamba2.Configuration()
        (options.headSize, options.stateSize) = (4, 6)
        let whole = try Mamba2(options, dModel: 8, dtype: .float64, using: &generator)
        options.stateWindow = 7
        let windowed = try Mamba2(options, dModel: 8, dtype: .float64, using: &generator)
            .replacingParameters(whole.parameters.tensors)
        let x = try generator.normal([2, 50, 8], dtype: .float64)
        let outputs = try windowed.parallel(x)
        for end in [7, 8, 20, 50] {
            var state = try whole.initialState(batch: 2)
            _ = try whole.chunk(x.sliced(1, 0..<end - 7), state: &state)
            state["ssm"] = try Tensor.zeros(state["ssm"].shape, dtype: .float64)
            let fresh = try whole.chunk(x.sliced(1, end - 7..<end), state: &state).selecting(1, 6)
            #expect(try (fresh - outputs.selecting(1, end - 1)).abs().max().scalar() < 1e-12)
        }
    }
}
