import RondoIO
import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Runs this very command in another process.
enum OtherProcess {
    /// What a finished process left.
    struct Outcome {
        /// The exit status, or 128 and the number of the signal that ended it.
        var status: Int32
        /// Standard output and standard error.
        var text: String
    }

    /// Runs to the end.
    ///
    /// - Parameters:
    ///   - arguments: The arguments, without the program's name.
    ///   - file: Where its output is kept.
    /// - Returns: How it ended and what it said.
    /// - Throws: `RondoError` if it cannot be started.
    static func run(_ arguments: [String], output file: String) throws -> Outcome {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var words: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process = pid_t()
        let code = posix_spawn(&process, executable, &actions, nil, &words, environ)
        guard code == 0 else { throw RondoError.system("start", executable, errno: code) }
        return Outcome(status: try wait(for: process), text: try FileSystem.readText(file))
    }

    private static func wait(for process: pid_t) throws -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw RondoError.system("wait for", executable, errno: errno) }
        }
        // As the macros WIFEXITED, WEXITSTATUS and WTERMSIG, which Swift does not import, take it apart.
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    /// The file that this process runs.
    private static var executable: String {
        #if os(Linux)
            FileSystem.canonical("/proc/self/exe")
        #else
            CommandLine.arguments[0]
        #endif
    }
}

/// A folder that is gone with the last reference.
final class ScratchFolder {
    let path: String

    /// Makes an empty folder among the temporary files.
    ///
    /// - Throws: `RondoError` if the system refuses.
    init() throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array(FileSystem.join(parent, "rondo-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw RondoError.system("create a folder in", parent, errno: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileSystem.remove(path) }
}
