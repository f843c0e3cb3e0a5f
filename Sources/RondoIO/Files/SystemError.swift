import Glibc
public import RondoTensor

extension RondoError {
    /// Describes a failed system call on a file, with the remedy that fits its cause.
    ///
    /// - Parameters:
    ///   - action: What was attempted, as a verb: "write", "open", "lock".
    ///   - path: The file or folder.
    ///   - number: The value of `errno` right after the call.
    /// - Returns: The error to throw.
    public static func system(_ action: String, _ path: String, errno number: Int32) -> RondoError {
        let (code, remedy) = advice(for: number)
        let reason = String(cString: strerror(number))
        return RondoError(code, "cannot \(action) '\(path)': \(reason); \(remedy)")
    }

    private static func advice(for number: Int32) -> (Code, String) {
        switch number {
        case ENOENT: (.notFound, "check the path, and create the folder if it is missing")
        case ENOTDIR: (.notFound, "a part of the path is a file where a folder is needed")
        case EEXIST, ENOTEMPTY: (.conflict, "choose another name or remove what is there")
        case EISDIR: (.conflict, "the path is a folder where a file is needed")
        case ENOSPC, EDQUOT: (.inputOutput, "free some space or choose a folder on another disk")
        case EFBIG: (.inputOutput, "raise the file size limit (ulimit -f) or choose another disk")
        case EACCES, EPERM: (.inputOutput, "change the permissions or choose a folder you may use")
        case EROFS: (.inputOutput, "the disk is read-only; choose another folder")
        case EMFILE, ENFILE: (.inputOutput, "too many open files; raise the limit (ulimit -n)")
        default: (.inputOutput, "check the disk and the path")
        }
    }
}

/// Repeats a system call while a signal interrupts it.
///
/// - Returns: The call's result, or `nil` on failure, with the reason in `errno`.
func retryingInterrupts<Result: SignedInteger>(_ call: () -> Result) -> Result? {
    while true {
        let result = call()
        if result != -1 { return result }
        if errno != EINTR { return nil }
    }
}
