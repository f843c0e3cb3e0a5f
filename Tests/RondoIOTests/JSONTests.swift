import RondoIO
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        #"{"b":1,"a":[1,2.5,-3e-7,true,false,null,"x"],"c":{"d":{}}}"#, "[]", "{}", #""é😀\n\"\\""#,
        "18446744073709551615", "-0.0", "[[[]]]",
    ]) func compactTextSurvives(text: String) throws {
        #expect(try JSONValue(parsing: text, source: "t").text() == text)
    }

    @Test func escapes() throws {
        let value = try JSONValue(parsing: #"" \u00e9\ud83d\ude00\/\b\f\n\r\t\u0001 ""#, source: "t")
        #expect(value.stringValue == " é😀/\u{8}\u{C}\n\r\t\u{1} ")
        #expect(try JSONValue(parsing: value.text(), source: "t") == value)
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", #"{"a":1,}"#, "{'a':1}", "01", "1.", ".5", "1e", "+1", "tru", "nul", "NaN", "[1 2]",
        #"{"a" 1}"#, #"{"a":1,"a":2}"#, #""abc"#, #""\x""#, #""\ud800""#, #""\ud800\u0041""#, "\"\u{1}\"", "1 2", "--1",
        "// c\n1", #""\u00g0""#, String(repeating: "[", count: 100_000),
    ]) func refusesInvalidText(text: String) throws {
        let error = try rondoError { _ = try JSONValue(parsing: text, source: "file.json") }
        #expect(error.message.hasPrefix("file.json:"))
    }

    @Test func refusesBytesThatAreNotUTF8AndSaysWhere() throws {
        let bytes = Array("{\n \"a\": \"".utf8) + [0xFF] + Array("\"}".utf8)
        #expect(try rondoError { _ = try JSONValue(parsing: bytes, source: "f") }.message.hasPrefix("f:2:7:"))
    }

    @Test func prettyLayout() throws {
        let value = try JSONValue(parsing: #"{"b":[1,2],"a":{"z":[],"y":[{"k":1}]},"e":{}}"#, source: "t")
        let expected = """
            {
              "a": {
                "y": [
                  {
                    "k": 1
                  }
                ],
                "z": []
              },
              "b": [1, 2],
              "e": {}
            }
            """
        #expect(value.text(.pretty, sortedKeys: true) == expected)
        #expect(try JSONValue(parsing: value.text(.pretty), source: "t") == value)
    }
}

private enum Activation: String, Codable, CaseIterable {
    case tanh, relu
    case siluGated = "silu_gated"
}

private enum Schedule: Codable, Equatable {
    case constant
    case cosine(finalFraction: Double)
}

private struct Optimizer: Codable, Equatable {
    var learningRate: Float = 0.1
    var betas: [Double] = [0.9, 0.95]
}

private struct Configuration: Codable, Equatable {
    var dModel = 64
    var name = "small"
    var activation = Activation.tanh
    var seed: UInt64 = .max
    var dropout: Double?
    var optimizer = Optimizer()
    var tags = ["camelCase": 1]
    var schedule = Schedule.cosine(finalFraction: 0.1)
    var small: Int8 = 0
}

@Suite struct StrictJSONTests {
    private func decode(_ text: String) throws -> Configuration {
        try StrictJSON.decode(from: JSONValue(parsing: text, source: "config.json"), source: "config.json")
    }

    private func text(replacing old: String, by new: String) throws -> String {
        let text = try StrictJSON.tree(of: Configuration()).text()
        #expect(text.contains(old))
        var changed = text
        if let range = text.firstRange(of: old) { changed.replaceSubrange(range, with: new) }
        return changed
    }

    @Test func roundTripInDeclaredOrder() throws {
        let text = try StrictJSON.tree(of: Configuration()).text()
        let expected =
            #"{"d_model":64,"name":"small","activation":"tanh","seed":18446744073709551615,"#
            + #""optimizer":{"learning_rate":0.1,"betas":[0.9,0.95]},"tags":{"camelCase":1},"#
            + #""schedule":{"cosine":{"final_fraction":0.1}},"small":0}"#
        #expect(text == expected)
        #expect(try decode(text) == Configuration())
        let folder = try TemporaryFolder()
        try StrictJSON.write(Configuration(), to: folder.file("c.json"), sortedKeys: true)
        #expect(try StrictJSON.decode(Configuration.self, contentsOf: folder.file("c.json")) == Configuration())
    }

    @Test(arguments: [
        (#""d_model":64"#, #""d_model":"x""#, "config.json: 'd_model' must be an integer, found a string (\"x\")"),
        (#""d_model":64"#, #""d_modle":64"#, "'d_model' is missing"),
        (
            #""d_model":64"#, #""d_model":64,"d_modle":1"#,
            "unknown key 'd_modle'; did you mean 'd_model'? Known keys: d_model,"
        ),
        (
            #""learning_rate""#, #""rate":1,"learning_rate""#,
            "unknown key 'optimizer.rate'; Known keys: learning_rate, betas"
        ),
        (#""tanh""#, #""thanh""#, "'activation' has no meaning as a string (\"thanh\"); did you mean 'tanh'?"),
        (#"[0.9,0.95]"#, #"[0.9,true]"#, "'optimizer.betas[1]' must be a number, found true"),
        (#""small":0"#, #""small":300"#, "'small' must be an integer from -128 to 127, found the number 300"),
        (#""d_model":64"#, #""d_model":1.5"#, "'d_model' must be an integer"),
        (#""name":"small""#, #""name":null"#, "'name' must be a string, found null"),
        (#"{"learning_rate":0.1,"betas":[0.9,0.95]}"#, "[]", "'optimizer' must be an object, found a list of 0"),
        (#""final_fraction":0.1"#, #""final_fraction":0.1,"x":1"#, "unknown key 'schedule.cosine.x'"),
        (#""learning_rate":0.1"#, #""learning_rate":1e99"#, "'optimizer.learning_rate' must be a number of at most"),
    ]) func mistakesAreNamed(old: String, new: String, expected: String) throws {
        let changed = try text(replacing: old, by: new)
        let error = try rondoError { _ = try decode(changed) }
        #expect(error.message.contains(expected), "\(error.message)")
    }

    @Test func integersMayBeWrittenAsReals() throws {
        #expect(try decode(text(replacing: #""d_model":64"#, by: #""d_model":1e3"#)).dModel == 1000)
    }

    @Test func refusesNumbersThatJSONCannotHold() throws {
        var configuration = Configuration()
        configuration.optimizer.betas[1] = .nan
        let error = try rondoError { _ = try StrictJSON.tree(of: configuration) }
        #expect(error.code == .notFinite && error.message.contains("optimizer.betas[1]"))
    }
}

@Suite struct OverrideTests {
    private func change(_ overrides: String...) throws -> Configuration {
        try StrictJSON.changing(Configuration(), overrides: overrides.map { try Override($0) })
    }

    @Test func valuesReachTheirPlace() throws {
        let changed = try change(
            "optimizer.learning_rate=1e-3", "d_model=1e2", "dropout=0.5", "name=123", "activation=relu",
            "optimizer.betas.1=0.5", "tags={}", "schedule={\"constant\":{}}")
        #expect(changed.optimizer == Optimizer(learningRate: 1e-3, betas: [0.9, 0.5]))
        #expect(changed.dModel == 100 && changed.dropout == 0.5 && changed.name == "123" && changed.activation == .relu)
        #expect(changed.tags.isEmpty && changed.schedule == .constant)
        #expect(try change("dropout=0.5", "dropout=null").dropout == nil)
        #expect(try change("name=\"a b\"").name == "a b")
        #expect(try change("name=a=b").name == "a=b")
    }

    @Test(arguments: [
        ("optimiser.learning_rate=1", "unknown key 'optimiser'; did you mean 'optimizer'?"),
        ("optimizer.learning_rte=1", "unknown key 'optimizer.learning_rte'; did you mean 'learning_rate'?"),
        ("optimizer.betas.2=1", "unknown key 'optimizer.betas.2'"),
        ("d_model.x=1", "unknown key 'd_model.x'; there are no keys here"),
        ("d_model=big", "'d_model' must be an integer, found a string (\"big\")"),
        ("d_model", "is no override; write key=value"), ("=1", "is no override"), ("a..b=1", "is no override"),
    ]) func mistakesAreNamed(argument: String, expected: String) throws {
        let error = try rondoError { _ = try change(argument) }
        #expect(error.message.contains(expected), "\(error.message)")
    }

    @Test func partialDocuments() throws {
        let document = try JSONValue(parsing: #"{"optimizer":{"betas":[0.5]},"seed":1}"#, source: "p")
        let changed = try StrictJSON.changing(
            Configuration(), by: document, source: "p.json", overrides: [Override("seed=2")])
        #expect(changed.optimizer == Optimizer(learningRate: 0.1, betas: [0.5]) && changed.seed == 2)
        let wrong = try JSONValue(parsing: #"{"optimizer":{"beta":1}}"#, source: "p")
        let error = try rondoError {
            _ = try StrictJSON.changing(Configuration(), by: wrong, source: "p.json", overrides: [])
        }
        #expect(error.message.contains("p.json: unknown key 'optimizer.beta'; did you mean 'betas'?"))
    }

    @Test func formOfAnOverride() {
        #expect(Override.isOverride("a.b_c=1") && Override.isOverride("layers.0.size="))
        #expect(!Override.isOverride("a b=1") && !Override.isOverride("/tmp/x=1") && !Override.isOverride("=1"))
    }
}

@Suite struct JSONLinesTests {
    private func makeLog(_ path: String, count: Int) throws {
        let log = try JSONLines(appendingTo: path)
        for step in 0..<count { try log.append(["step": .integer(step), "loss": .real(1.5)]) }
        try log.synchronize()
    }

    @Test func tornLastLineIsIgnoredAndRemoved() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("m.jsonl")
        try makeLog(path, count: 3)
        let whole = try FileSystem.readBytes(path)
        for cut in 1..<(whole.count / 3) {
            try AtomicFile.write(Array(whole.dropLast(cut)), to: path)
            #expect(try JSONLines.read(path).count == 2)
            try makeLog(path, count: 1)
            #expect(try JSONLines.read(path).map { $0["step"]?.intValue } == [0, 1, 0])
        }
    }

    @Test func truncation() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("m.jsonl")
        try makeLog(path, count: 10)
        try JSONLines.truncate(path, toRecords: 7)
        #expect(try JSONLines.read(path).count == 7)
        try JSONLines.truncate(path) { ($0["step"]?.intValue ?? 0) < 3 }
        #expect(try JSONLines.read(path).count == 3)
        try JSONLines.truncate(path, toRecords: 100)
        #expect(try JSONLines.read(path).count == 3)
        try JSONLines.truncate(path, toRecords: 0)
        #expect(try FileSystem.readBytes(path).isEmpty)
    }

    @Test func damageInTheMiddleNamesTheLine() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("m.jsonl")
        try AtomicFile.write("{}\n{oops}\n{}\n", to: path)
        #expect(try rondoError { _ = try JSONLines.read(path) }.message.contains("line 2"))
    }
}
