import RondoIO
import RondoTemplates
import RondoTensor
import Testing

@Suite struct ChatTemplateTests {
    private let user = ChatMessage(role: "user", content: "Hi")

    @Test func rendersMessages() throws {
        var fields = JSONObject()
        fields["name"] = .string("Ann")
        let template = try ChatTemplate(
            source: "{{ bos_token }}{% for m in messages %}[{{ m.role }} {{ m.name }}: {{ m.content }}]{% endfor %}")
        let messages = [user, ChatMessage(role: "user", content: "Ho", fields: fields)]
        let text = try template.render(messages: messages, variables: ["bos_token": .string("<s>")])
        #expect(text == "<s>[user : Hi][user Ann: Ho]")
    }

    @Test(arguments: [
        ("\n\n{% include 'x' %}", "t: not supported: the tag 'include' at line 3"),
        ("a\n{{ x|pprint }}", "t: not supported: the filter 'pprint' at line 2"),
        ("{% for x in y recursive %}{% endfor %}", "t: not supported: recursive loops at line 1"),
        ("{{ f(*x) }}", "t: not supported: unpacked arguments at line 1"),
        ("\n{{ cycler(1) }}", "t: not supported: the function 'cycler' at line 2"),
        ("\n{{ 'a'.encode() }}", "t: not supported: 'encode' of values of type str at line 2"),
    ]) func refusesWhatIsNotSupportedWithItsLine(source: String, message: String) {
        let error = #expect(throws: RondoError.self) {
            try ChatTemplate(source: source, name: "t").render(messages: [user])
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message == message)
    }

    @Test func unsupportedPartsAreRefusedWhileParsing() {
        #expect(throws: RondoError.self) { try ChatTemplate(source: "{% if false %}{% include 'x' %}{% endif %}") }
        #expect(throws: RondoError.self) { try ChatTemplate(source: "{% if false %}{{ x|pprint }}{% endif %}") }
    }

    @Test func errorsNameTheLine() {
        let error = #expect(throws: RondoError.self) {
            try ChatTemplate(source: "a\nb\n{{ messages[0].tool.name }}", name: "t").render(messages: [user])
        }
        #expect(error?.message == "t, line 3: 'dict object' has no attribute 'tool'")
    }

    @Test func theTemplatesOwnComplaintIsTheError() {
        let error = #expect(throws: RondoError.self) {
            try ChatTemplate(source: "{{ raise_exception('No ' ~ messages[0].role) }}").render(messages: [user])
        }
        #expect(error?.message == "No user")
    }

    @Test func conversationsMustBeLists() throws {
        let template = try ChatTemplate(source: "x")
        for messages: JSONValue in [.null, .array([]), .string("x"), .array([.string("x")])] {
            #expect(throws: RondoError.self) { try template.render(messages: messages) }
        }
        #expect(throws: RondoError.self) { try template.render(messages: [user], tools: .string("x")) }
        #expect(throws: RondoError.self) { try template.render(messages: [user], documents: .array([.null])) }
    }

    @Test func lettersAreNotNormalized() throws {
        let template = try ChatTemplate(source: "{{ a == b }} {{ a|length }} {{ b|length }} {{ '\u{E9}' in b }}")
        let variables: [String: JSONValue] = ["a": .string("\u{E9}"), "b": .string("e\u{301}")]
        #expect(try template.text(variables) == "False 1 2 False")
    }

    @Test func writesTheDateWithoutZone() throws {
        let template = try ChatTemplate(source: "{{ strftime_now('%d %b %Y|%Z|%z|%%Z|') }}")
        #expect(try template.render(messages: [user], now: VectorTests.now) == "07 Mar 2025|||%Z|")
        #expect(WallClock.now().year >= 2025)
    }

    @Test func findsTemplatesInConfigurations() throws {
        func text(_ configuration: JSONValue, template: String? = nil, hasTools: Bool = false) throws -> String {
            try ChatTemplate(
                tokenizerConfiguration: configuration, source: "c.json", template: template, hasTools: hasTools
            ).render(messages: [user])
        }
        #expect(try text(["chat_template": .string("one")]) == "one")
        let several: JSONValue = [
            "chat_template": .array([
                ["name": .string("default"), "template": .string("plain")],
                ["name": .string("tool_use"), "template": .string("tools")],
            ])
        ]
        #expect(try text(several) == "plain")
        #expect(try text(several, hasTools: true) == "tools")
        #expect(try text(several, template: "tool_use") == "tools")
        let error = #expect(throws: RondoError.self) { try text(several, template: "rag") }
        #expect(error?.message == "c.json has no chat template 'rag'; it has 'default', 'tool_use'")
        #expect(throws: RondoError.self) { try text([:]) }
    }

    @Test func findsSpecialTokens() {
        let tokens = ChatTemplate.specialTokens(in: [
            "bos_token": .string("<s>"), "eos_token": ["content": .string("</s>")], "pad_token": .null,
        ])
        #expect(tokens == ["bos_token": .string("<s>"), "eos_token": .string("</s>")])
    }
}
