import Foundation
import RondoIO
import RondoTemplates
import RondoTensor
import Testing

/// Compares with what `transformers` renders, character by character; `Tests/Parity/templates` makes the vectors.
@Suite struct VectorTests {
    /// The moment at which the vectors were made.
    static let now = WallClock(year: 2025, month: 3, day: 7, hour: 14, minute: 5, second: 9)

    static func vectors(_ name: String) throws -> JSONValue {
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Vectors"))
        return try JSONValue(contentsOf: url.path)
    }

    /// Says how a result misses the expected one.
    private func check(_ expected: JSONValue, _ label: String, _ render: () throws -> String) {
        do {
            let text = try render()
            guard let wanted = expected["text"]?.stringValue else {
                Issue.record("\(label): no error, but \(text.debugDescription); expected \(expected)")
                return
            }
            // By scalars: `==` would take different forms of a letter for equal.
            #expect(Array(text.unicodeScalars) == Array(wanted.unicodeScalars), "\(label)")
        } catch let error as RondoError {
            guard let wanted = expected["error"]?.stringValue else {
                Issue.record("\(label): \(error)")
                return
            }
            let own = "TemplateError: "
            if wanted.hasPrefix(own) { #expect(error.message == wanted.dropFirst(own.count), "\(label)") }
        } catch {
            Issue.record("\(label): \(error) is no RondoError")
        }
    }

    @Test func snippetsRenderAsInJinja() throws {
        let vectors = try Self.vectors("snippets")
        let variables = Dictionary(
            uniqueKeysWithValues: try #require(vectors["variables"]?.objectValue).members.map { ($0.key, $0.value) })
        let cases = try #require(vectors["cases"]?.arrayValue)
        #expect(cases.count > 300)
        for expected in cases {
            let source = try #require(expected["template"]?.stringValue)
            check(expected, source) {
                try ChatTemplate(source: source).text(variables)
            }
        }
    }

    @Test func conversationsRenderAsInTransformers() throws {
        let vectors = try Self.vectors("chats")
        let cases = try #require(vectors["cases"]?.arrayValue)
        #expect(cases.count > 200)
        for expected in cases {
            let template = try #require(expected["template"]?.stringValue)
            let conversation = try #require(expected["conversation"]?.stringValue)
            let source = try #require(vectors["templates"]?[template]?.stringValue)
            let arguments = try #require(vectors["conversations"]?[conversation]?.objectValue)
            check(expected, "\(template), \(conversation)") {
                try render(ChatTemplate(source: source, name: template), arguments)
            }
        }
    }

    private func render(_ template: ChatTemplate, _ arguments: JSONObject) throws -> String {
        var variables = Dictionary(uniqueKeysWithValues: arguments.members.map { ($0.key, $0.value) })
        let messages = variables.removeValue(forKey: "messages") ?? .null
        let tools = variables.removeValue(forKey: "tools")
        let documents = variables.removeValue(forKey: "documents")
        let addsPrompt = variables.removeValue(forKey: "add_generation_prompt")?.boolValue ?? false
        return try template.render(
            messages: messages, tools: tools, documents: documents, addGenerationPrompt: addsPrompt,
            variables: variables, now: Self.now)
    }
}

extension ChatTemplate {
    /// Renders with variables only; the conversation does not matter.
    func text(_ variables: [String: JSONValue] = [:]) throws -> String {
        try render(
            messages: [ChatMessage(role: "user", content: "")], variables: variables, now: VectorTests.now)
    }
}
