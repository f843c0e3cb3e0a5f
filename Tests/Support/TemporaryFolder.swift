import Glibc
import RondoIO
public import RondoTensor

/// A folder for one test, removed with the last reference.
public final class TemporaryFolder {
    /// The folder's path.
    public let path: String

    /// Makes an empty folder.
    ///
    /// - Throws: `RondoError` if the system refuses.
    public init() throws {
        var template = Array("/tmp/rondo-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw RondoError.system("create", "/tmp", errno: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileSystem.remove(path) }

    /// The path of something in the folder.
    ///
    /// - Parameter name: A name or relative path.
    /// - Returns: The path.
    public func file(_ name: String) -> String { FileSystem.join(path, name) }
}

/// Runs a closure that must throw a `RondoError`.
///
/// - Parameter body: The closure.
/// - Returns: The error that it threw.
/// - Throws: Another error if it threw another one, or none.
public func rondoError(_ body: () throws -> Void) throws -> RondoError {
    do { try body() } catch let error as RondoError { return error }
    throw RondoError(.invalidArgument, "no error was thrown")
}
