import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Layers that learn the lower bounds of their forget gates together (HGRN, HGRN2).
@Suite struct LearnedBoundsTests {
    private typealias Layer = LanguageModelConfiguration.Layer

    private static let learned: JSONValue = ["learned_bounds": .bool(true)]

    private func model(
        _ layers: [LanguageModelConfiguration.Layer],
        logits: (Int, Int) -> Double = { layer, channel in
            0.9 * Double((layer * 5 + channel * 3) % 7) - 2
        }
    ) throws -> LanguageModel {
        var configuration = LanguageModelConfiguration()
        (configuration.vocabSize, configuration.dModel, configuration.layers) = (12, 8, layers)
        var generator = Generator(seed: 4)
        var model = try LanguageModel(configuration, dtype: .float64, using: &generator)
        try model.forEachParameter { path, parameter in
            guard path.hasSuffix("bound_logits") else { return }
            let layer = path.split(separator: ".").compactMap { Int($0) }[0]
            parameter = try Tensor((0..<8).map { logits(layer, $0) })
        }
        return model
    }

    private func distance(_ a: Tensor?, _ b: Tensor?) throws -> Double {
        try (#require(a) - #require(b)).abs().max().scalar()
    }

    /// numpy's exp(Γ) / sum, cumulated over the layers, less the first.
    @Test func boundsAreTheCumulatedSoftmaxLessItsFirst() throws {
        let logits = [[0.1, -0.4], [0.7, 0.2], [-0.3, 1.1]]
        let model = try model(
            [
                Layer(mixer: "hgrn", count: 2, options: Self.learned), Layer(mixer: "lstm"),
                Layer(mixer: "hgrn2", options: Self.learned),
            ], logits: { logits[$0 == 3 ? 2 : $0][$1 % 2] })
        let shared = try SharedValues(layers: model.layers.map(\.mixer))
        #expect(shared.lowerBounds.count == 3)
        let expected = [[0, 0], [0.521_732_49, 0.249_475_18], [0.713_667_14, 0.863_085_12]]
        for (bound, expected) in zip(shared.lowerBounds, expected) {
            switch bound {
            case .fixed(let value): #expect(value == 0 && expected == [0, 0])
            case .learned(let values):
                for (index, value) in try values.array(of: Double.self).enumerated() {
                    #expect(abs(value - expected[index % 2]) < 1e-8)
                }
            }
        }
    }

    /// With Γ alike in all channels, the model is one of fixed bounds, in every form.
    @Test(arguments: [("hgrn", false), ("hgrn", true), ("hgrn2", false)])
    func equalsFixedBounds(_ mixer: String, _ isComplex: Bool) throws {
        var options = JSONObject()
        if isComplex { options["complex"] = .bool(true) }
        func layer(_ key: String, _ value: JSONValue) -> LanguageModelConfiguration.Layer {
            var own = options
            own[key] = value
            return Layer(mixer: mixer, options: .object(own))
        }
        let rows = Array(repeating: 0.0, count: 3)
        let learned = try model(rows.map { _ in layer("learned_bounds", .bool(true)) }) { layer, _ in
            [0.1, 0.7, -0.3][layer]
        }
        let bounds = [0, 0.521_732_494_137_585_6, 0.713_667_139_060_306_9]
        let empty = try model(bounds.map { layer("lower_bound", .real($0)) })
        let own = learned.parameters
        let fixed = empty.replacingParameters(try empty.parameters.paths.map { try #require(own[$0]) })
        let expected = try fixed.logits(of: ReadingFormTests.rows, form: .parallel)
        for form in [.parallel] + ReadingFormTests.forms {
            let found = try learned.logits(of: ReadingFormTests.rows, form: form)
            #expect(try distance(found, expected) < 1e-7, "\(form)")
        }
        let alone = try model(rows.map { _ in layer("lower_bound", .real(0)) })
        let unbounded = alone.replacingParameters(fixed.parameters.tensors)
        #expect(try distance(unbounded.logits(of: ReadingFormTests.rows, form: .parallel), expected) > 1e-3)
    }

    private static let stacks: [[LanguageModelConfiguration.Layer]] = [
        [Layer(mixer: "hgrn", count: 3, options: learned)],
        [
            Layer(mixer: "hgrn", options: ["learned_bounds": .bool(true), "complex": .bool(true)]),
            Layer(mixer: "gru"), Layer(mixer: "hgrn2", count: 2, options: learned),
            Layer(mixer: "hgrn", options: ["lower_bound": .real(0.5)]),
        ],
    ]

    @Test(arguments: stacks) func allFormsAgree(_ layers: [LanguageModelConfiguration.Layer]) throws {
        let model = try model(layers)
        let whole = try model.logits(of: ReadingFormTests.rows, form: .parallel)
        for form in ReadingFormTests.forms {
            #expect(try distance(whole, model.logits(of: ReadingFormTests.rows, form: form)) < 1e-9, "\(form)")
        }
    }

    @Test func derivativesReachTheBoundsOfAllLayers() throws {
        let model = try model(Self.stacks[1])
        let inputs = try Tensor((0..<10).map { Int32($0 * 5 % 12) }, shape: [2, 5])
        let targets = try Tensor((0..<10).map { Int32($0 * 7 % 12) }, shape: [2, 5])
        let (all, state) = (model.parameters, try model.initialState(batch: 2))
        let chosen = all.paths.indices.filter { all.paths[$0].hasSuffix("bound_logits") }
        #expect(chosen.count == 3)
        func loss(_ moved: [Tensor]) throws -> Tensor {
            var tensors = all.tensors
            for (index, tensor) in zip(chosen, moved) { tensors[index] = tensor }
            var unused = Generator(seed: 0)
            return try model.replacingParameters(tensors).loss(
                inputs, targets, state: state, training: true, using: &unused
            ).loss
        }
        let bounds = chosen.map { all.tensors[$0] }
        let mismatch = try GradientCheck.mismatch(bounds) { [try loss($0)] }
        #expect(mismatch == nil, "\(mismatch ?? "")")
        for gradient in try valueAndGradient(of: bounds, loss).1 {
            #expect(try gradient.abs().min().scalar() > 0)
        }
    }

    @Test func boundsAreFixedOrLearned() throws {
        for mixer in [HGRN.self, HGRN2.self] as [any SequenceMixer.Type] {
            let options: JSONValue = ["learned_bounds": .bool(true), "lower_bound": .real(0.5)]
            let error = try rondoError { _ = try mixer.completedOptions(options, dModel: 8) }
            #expect(error.code == .invalidArgument && error.message.contains("learned_bounds"), "\(error)")
        }
    }
}
