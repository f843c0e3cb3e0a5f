import RondoConformance
import RondoIO
import RondoMixers
import RondoTensor
import RondoTestSupport
import Testing

/// The complete example of docs/adding-a-mixer.md.
@Suite struct WorkedExampleTests {
    @Test func theExampleKeepsTheLaws() throws {
        let folder = try TemporaryFolder()
        // `threads` and `memory` look at the whole process, which other tests share; `process` needs another one.
        let laws = Law.allCases.filter { ![.threads, .process, .memory].contains($0) }
        let broken = Conformance(folder: folder.path, laws: laws).verify(LeakyIntegrator.self).filter { !$0.passed }
        #expect(broken.isEmpty, "\(broken.map { "\($0.law): \($0.failure ?? "")" })")
    }

    @Test func thePageShowsTheExample() throws {
        let here = #filePath
        let root = FileSystem.parent(of: FileSystem.parent(of: FileSystem.parent(of: here)))
        let code = try FileSystem.readText(FileSystem.join(FileSystem.parent(of: here), "LeakyIntegrator.swift"))
        let page = try FileSystem.readText(FileSystem.join(root, "docs/adding-a-mixer.md"))
        #expect(page.contains("```swift\n\(code)```"))
    }
}
