import RondoIO
import RondoTemplates
import RondoTensor
import Testing

/// Templates come from strangers: none of them may hang, fill memory or overflow the stack.
@Suite struct LimitTests {
    private func failure(_ source: String, work: Int = 2_000_000) -> RondoError? {
        #expect(throws: RondoError.self, "\(source.prefix(80))") {
            var template = try ChatTemplate(source: source, name: "t")
            template.limits.work = work
            _ = try template.text()
        }
    }

    @Test(arguments: [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(90) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(90) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x|tojson }}",
        "{% set n = namespace(x=1, y=1) %}{% for i in range(90) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}"
            + "{% endfor %}{{ n.x == n.y }}",
        "{{ 'a' * 9999999999 }}", "{{ [1] * 9999999999 }}", "{{ 'ab'.replace('', 'x' * 900000) }}",
        "{{ 'a'|center(99999999999) }}", "{{ 'a'.zfill(9223372036854775807) }}", "{{ [1]|tojson(indent=99999999999) }}",
        "{{ [1]|batch(9223372036854775807, 0)|list }}", "{{ [1]|slice(9223372036854775807)|list }}",
        "{{ 'a'|indent(99999999999) }}",
        "{{ ('a' * 900000).split('a')|map('replace', '', 'x' * 900000)|list }}",
    ]) func workIsLimited(source: String) {
        #expect(failure(source)?.code == .outOfRange)
    }

    @Test(arguments: [
        String(repeating: "(", count: 100_000), String(repeating: "[", count: 100_000),
        String(repeating: "{'a':", count: 100_000), String(repeating: "not ", count: 100_000),
        String(repeating: "-", count: 100_000), "1" + String(repeating: "+1", count: 100_000),
        "x" + String(repeating: ".x", count: 100_000), "x" + String(repeating: "|list", count: 100_000),
        "1 if 1 else " + String(repeating: "2 if 3 else ", count: 100_000),
        "f" + String(repeating: "()", count: 100_000),
        "x is " + String(repeating: "in (", count: 100_000),
    ]) func depthOfExpressionsIsLimited(expression: String) {
        #expect(failure("{{ 0 + \(expression) }}") != nil)
    }

    @Test(arguments: [
        String(repeating: "{% if 1 %}", count: 100_000), String(repeating: "{% for a in b %}", count: 100_000),
        "{% set " + String(repeating: "(", count: 100_000),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
        "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}",
        "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = n.x|select %}{% endfor %}",
        "{% set n = namespace(x='') %}{% for i in range(9999) %}{% set n.x = {'a': n.x} %}{% endfor %}",
    ]) func depthIsLimited(source: String) {
        #expect(failure(source) != nil)
    }

    /// Long chains and cycles of what refers to itself are taken apart without recursion, and without leaks.
    @Test func chainsOfNamespacesAndMacrosEnd() throws {
        let chains = [
            "{% set n = namespace() %}{% for i in range(20000) %}{% set n.x = namespace(y=n.x) %}{% endfor %}",
            "{% set n = namespace() %}{% set n.self = n %}",
            "{% set n = namespace() %}{% macro f(p) %}{% macro g() %}{{ p }}{% endmacro %}{% set n.g = g %}{% endmacro %}"
                + "{% for i in range(20000) %}{{ f(n.g) }}{% endfor %}",
        ]
        for source in chains {
            #expect(try ChatTemplate(source: source).text() == "")
        }
    }

    @Test func searchesTakeTimeInProportionToTheText() throws {
        let source = "{% set a = 'a' * 400000 %}{% set b = 'a' * 200000 ~ 'b' %}{% set c = 'b' ~ 'a' * 200000 %}"
        let results = "{{ b in a }}{{ a.rfind(c) }}{{ (a ~ b).find(b) }}{{ (c ~ a).rfind(c) }}{{ a.count(a[1:]) }}"
        #expect(try ChatTemplate(source: source + results).text() == "False-140000001")
    }

    @Test func numbersAtTheEndsDoNotOverflow() throws {
        for source in [
            "{{ 9223372036854775807 + 1 }}", "{{ -9223372036854775807 - 2 }}", "{{ 9223372036854775807 * 2 }}",
            "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 10 ** 400 }}", "{{ 10.0 ** 400 }}",
            "{{ -(-9223372036854775807 - 1) }}", "{{ (-9223372036854775807 - 1)|abs }}",
            "{{ '9223372036854775808'|int }}", "{{ 1e300|int }}",
            "{{ range(-9223372036854775807, 9223372036854775807) }}",
        ] { #expect(failure(source) != nil) }
        let good = [
            "{{ (-9223372036854775807 - 1) % -1 }}": "0",
            "{{ 'abc'[9223372036854775807:] }}{{ 'abc'[-9223372036854775807:] }}": "abc",
            "{{ 'abc'[::9223372036854775807] }}{{ 'abc'[::-9223372036854775807] }}": "ac",
            "{{ range(9223372036854775806, 9223372036854775807, 1000)[1:]|length }}": "0",
        ]
        for (source, text) in good { #expect(try ChatTemplate(source: source).text() == text) }
    }

    @Test func outputIsLimited() throws {
        var template = try ChatTemplate(source: "{% for a in range(9) %}{{ 'x' * 9 }}{% endfor %}")
        template.limits.output = 81
        #expect(try template.text().count == 81)
        template.limits.output = 80
        #expect(throws: RondoError.self) { try template.text() }
    }

    @Test func damagedTemplatesNeverCrash() throws {
        let sources = try #require(VectorTests.vectors("chats")["templates"]?.objectValue).members
        let parts = ["{%", "%}", "{{", "}}", "(", "]", "'", "|", "-", " in ", "\0", "{% endfor %}", "*", "\\"]
        var state: UInt64 = 31
        func draw(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        let messages: JSONValue = .array([["role": .string("user"), "content": .string("hello")]])
        for _ in 0..<400 {
            var source = Array(try #require(sources[draw(sources.count)].value.stringValue))
            let start = draw(source.count)
            source.replaceSubrange(start..<min(source.count, start + draw(9)), with: parts[draw(parts.count)])
            do {
                var template = try ChatTemplate(source: String(source))
                template.limits.work = 100_000
                _ = try template.render(messages: messages, now: VectorTests.now)
            } catch is RondoError {}
        }
    }
}
