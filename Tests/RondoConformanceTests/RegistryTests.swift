import RondoIO
import RondoMixers
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct RegistryTests {
    @Test func namesAreFoundAndTyposGetASuggestion() throws {
        #expect(try MixerRegistry.mixer(named: "lstm") == LSTM.self)
        let error = try rondoError { _ = try MixerRegistry.mixer(named: "lstn") }
        #expect(error.code == .notFound && error.message.contains("did you mean 'lstm'?"), "\(error)")
    }

    @Test func builtInNamesDifferAndAreSnakeCase() {
        let names = MixerRegistry.builtIn.map { $0.architecture }
        #expect(Set(names).count == names.count)
        for name in names {
            #expect(name.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "_") }, "\(name)")
        }
    }

    @Test func cardsSayEverything() throws {
        for mixer in MixerRegistry.builtIn {
            let card = mixer.card
            for text in [card.title, card.summary, card.equations, card.source, card.complexity] {
                #expect(!text.isEmpty, "\(card.name)")
            }
            #expect(!card.summary.contains("\n") && !card.complexity.contains("\n"), "\(card.name)")
            let tree = try StrictJSON.tree(of: card)
            #expect(try StrictJSON.decode(MixerCard.self, from: tree, source: "card") == card)
        }
    }

    /// In a process of its own, because a registered mixer stays.
    @Test func mixersAreRegisteredOnce() async {
        await #expect(processExitsWith: .success) {
            let before = MixerRegistry.all.count
            try MixerRegistry.register(TinyRecurrence.self)
            #expect(MixerRegistry.all.count == before + 1)
            #expect(try MixerRegistry.mixer(named: "tiny_recurrence") == TinyRecurrence.self)
            for taken in [TinyRecurrence.self, LSTM.self] as [any SequenceMixer.Type] {
                #expect(try rondoError { try MixerRegistry.register(taken) }.code == .conflict)
            }
            #expect(MixerRegistry.all.count == before + 1)
        }
    }
}

@Suite struct MixerConfigurationTests {
    private typealias Configuration = TinyRecurrence.Configuration

    @Test func optionsChangeTheDefaults() throws {
        #expect(try Configuration(options: nil, source: "test") == Configuration())
        #expect(try Configuration(options: .null, source: "test") == Configuration())
        let changed = try Configuration(options: ["label": .string("a")], source: "test")
        #expect(changed.label == "a" && changed.momentum == 0.5)
    }

    @Test func unknownKeysAndWrongValuesAreRefused() throws {
        let unknown = try rondoError { _ = try Configuration(options: ["momentun": .real(0.1)], source: "test") }
        #expect(unknown.message.contains("test") && unknown.message.contains("did you mean 'momentum'?"), "\(unknown)")
        let wrong = try rondoError { _ = try Configuration(options: ["momentum": .string("much")], source: "test") }
        #expect(wrong.message.contains("momentum"), "\(wrong)")
    }

    @Test func impossibleValuesAreRefused() throws {
        let options: JSONValue = ["momentum": .real(1)]
        var generator = Generator(seed: 1)
        for make in [
            { _ = try TinyRecurrence.completedOptions(options, dModel: 4) },
            { _ = try TinyRecurrence.make(options: options, dModel: 4, using: &generator) },
        ] {
            let error = try rondoError(make)
            #expect(error.code == .invalidArgument && error.message.contains("momentum"), "\(error)")
        }
        let named = try rondoError { _ = try TinyRecurrence.completedOptions(options, dModel: 4) }
        #expect(named.message.hasPrefix("tiny_recurrence: "))
    }

    @Test func everyExampleSurvivesJSON() throws {
        for mixer in MixerRegistry.builtIn { try expectRoundTrips(mixer) }
        #expect(try TinyRecurrence.completedOptions(nil, dModel: 4)["momentum"] != nil)
    }

    private func expectRoundTrips<Mixer: SequenceMixer>(_ mixer: Mixer.Type) throws {
        #expect(!mixer.examples.isEmpty, "\(mixer.architecture)")
        for example in mixer.examples {
            let tree = try StrictJSON.tree(of: example.configuration)
            let text = tree.text()
            let parsed = try JSONValue(parsing: Array(text.utf8), source: "test")
            let decoded = try Mixer.Configuration(options: parsed, source: "test")
            #expect(decoded == example.configuration, "\(mixer.architecture), \(example.label)")
            #expect(try Mixer.completedOptions(parsed, dModel: example.dModel) == tree)
            try example.configuration.validate(dModel: example.dModel)
            for key in tree.objectValue?.keys ?? [] {
                #expect(key.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" }, "\(mixer.architecture): \(key)")
            }
        }
    }
}
