import Glibc
import RondoIO
import RondoTensor

/// A folder for one test, removed with the last reference.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/rondo-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw RondoError.system("create", "/tmp", errno: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileSystem.remove(path) }

    func file(_ name: String) -> String { FileSystem.join(path, name) }
}

/// Runs a closure that must throw a `RondoError`, and returns that error.
func rondoError(_ body: () throws -> Void) throws -> RondoError {
    do { try body() } catch let error as RondoError { return error }
    throw RondoError(.invalidArgument, "no error was thrown")
}
