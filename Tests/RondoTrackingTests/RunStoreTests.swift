import RondoIO
import RondoTensor
import RondoTestSupport
import RondoTracking
import Testing

@Suite struct RunStoreTests {
    private func run(_ name: String, created: Double, width: Int = 64) -> Run {
        Run(
            name: name, folder: "/nowhere/\(name)", createdAt: created,
            configuration: ["d_model": .integer(width), "optimizer": ["learning_rate": .real(0.1)]], model: "lstm",
            parameterCount: 1234, seed: .max, version: "0.1.0", host: "test")
    }

    @Test func everyFieldSurvives() throws {
        let folder = try TemporaryFolder()
        let store = try RunStore(folder.file("deep/runs.sqlite"))
        var run = try store.add(run("a", created: 1))
        #expect(run.id.count == 8)
        run.status = .stopped
        run.step = 7
        run.tokens = 1 << 40
        run.trainLoss = 1.25
        run.bestBitsPerByte = 2.5
        run.seconds = 3.5
        run.updatedAt = 9
        try store.update(run)
        #expect(try store.find(run.id) == run)
        try store.remove(id: run.id)
        #expect(try store.list().isEmpty)
        #expect(try rondoError { try store.update(run) }.code == .notFound)
    }

    @Test func listsInOrder() throws {
        let folder = try TemporaryFolder()
        let store = try RunStore(folder.file("runs.sqlite"))
        for (index, name) in ["Beta", "alpha", "gamma"].enumerated() {
            var run = try store.add(run(name, created: Double(index)))
            if name != "gamma" { run.bestBitsPerByte = 3 - Double(index) }
            if name == "alpha" { run.status = .finished }
            run.updatedAt = 100 - Double(index)
            try store.update(run)
        }
        #expect(try store.list().map(\.name) == ["gamma", "alpha", "Beta"])
        #expect(try store.list(order: .updated).map(\.name) == ["Beta", "alpha", "gamma"])
        #expect(try store.list(order: .best).map(\.name) == ["alpha", "Beta", "gamma"])
        #expect(try store.list(order: .name, limit: 1).map(\.name) == ["Beta"])
        #expect(try store.list(status: .finished).map(\.name) == ["alpha"])
        #expect(try store.list(nameContaining: "ET").map(\.name) == ["Beta"])
        #expect(try store.list(status: .running, model: "gru").isEmpty)
    }

    @Test func findsByWhatPeopleType() throws {
        let folder = try TemporaryFolder()
        let store = try RunStore(folder.file("runs.sqlite"))
        let runs = try (0..<40).map { try store.add(run("run-\($0)", created: Double($0))) }
        #expect(Set(runs.map(\.id)).count == 40)
        #expect(try store.find("run-7") == runs[7])
        #expect(try store.find("/nowhere/run-8") == runs[8])
        #expect(try store.find(String(runs[9].id.prefix(7)).uppercased()) == runs[9])
        // Forty ids and sixteen first digits: one digit must be shared.
        let crowded = Dictionary(grouping: runs) { $0.id.prefix(1) }.first { $0.value.count > 1 }
        let digit = String(try #require(crowded).key)
        #expect(try rondoError { _ = try store.find(digit) }.code == .conflict)
        let error = try rondoError { _ = try store.find("rum-7") }
        #expect(error.code == .notFound && error.message.contains("did you mean 'run-7'?"))
        let twin = try store.add(run("run-7", created: 99))
        #expect(try store.find("run-7") == twin)
    }

    @Test func comparesConfigurations() throws {
        let folder = try TemporaryFolder()
        let store = try RunStore(folder.file("runs.sqlite"))
        _ = try store.add(run("a", created: 1))
        var second = run("b", created: 2, width: 128)
        second.configuration = [
            "d_model": .integer(128), "optimizer": ["learning_rate": .real(0.1)], "new": .string("x"),
        ]
        _ = try store.add(second)
        let comparison = try store.compare(["a", "b"])
        #expect(comparison.configuration.map(\.key) == ["d_model", "new"])
        #expect(comparison.configuration.map(\.values) == [["64", "128"], [nil, "x"]])
        #expect(comparison.results.first { $0.key == "parameters" }?.values == ["1234", "1234"])
    }

    @Test func twoConnectionsSeeEachOther() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("runs.sqlite")
        let (first, second) = (try RunStore(path), try RunStore(path))
        let added = try first.add(run("a", created: 1))
        var seen = try second.find("a")
        #expect(seen == added)
        seen.step = 5
        try second.update(seen)
        #expect(try first.find("a").step == 5)
    }

    @Test func manyWritersLoseNothing() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("runs.sqlite")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                let runs = (0..<25).map { run("w\(writer)-\($0)", created: Double($0)) }
                group.addTask {
                    let store = try RunStore(path)
                    for run in runs { _ = try store.add(run) }
                }
            }
            try await group.waitForAll()
        }
        #expect(try RunStore(path).list().count == 100)
    }

    @Test func abandonedRunsAreInterrupted() throws {
        let folder = try TemporaryFolder()
        let store = try RunStore(folder.file("runs.sqlite"))
        let held = try RunFolder(creating: folder.file("held"), configuration: [:])
        do { _ = try RunFolder(creating: folder.file("left"), configuration: [:]) }
        for name in ["held", "left", "gone"] {
            var run = run(name, created: 1)
            run.folder = folder.file(name)
            _ = try store.add(run)
        }
        try withExtendedLifetime(held) { try store.markAbandoned() }
        #expect(try store.find("held").status == .running)
        #expect(try store.find("left").status == .interrupted)
        #expect(try store.find("gone").status == .interrupted)
    }

    @Test func damagedStoreIsAClearError() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("runs.sqlite")
        try AtomicFile.write(String(repeating: "no database ", count: 1000), to: path)
        let error = try rondoError { _ = try RunStore(path) }
        #expect(error.code == .inputOutput && error.message.contains(path))
    }
}
