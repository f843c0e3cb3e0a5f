/// An error that says what went wrong, where, and what to do about it.
public struct RondoError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for programs that react to it.
    ///
    /// The set is open: more may be added.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The code's name, as it appears in machine-readable output.
        public var rawValue: String

        /// Creates a code from its name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Operand shapes do not fit together.
        public static let shapeMismatch = Code(rawValue: "shape_mismatch")
        /// Operand element types do not fit together, or an operation does not support one.
        public static let dtypeMismatch = Code(rawValue: "dtype_mismatch")
        /// An index, axis or range lies outside its bounds.
        public static let outOfRange = Code(rawValue: "out_of_range")
        /// A configuration, option or argument has a value that makes no sense.
        public static let invalidArgument = Code(rawValue: "invalid_argument")
        /// A file or folder is missing.
        public static let notFound = Code(rawValue: "not_found")
        /// A file exists but is damaged, truncated or of another kind.
        public static let corruptFile = Code(rawValue: "corrupt_file")
        /// The operating system refused to read or write.
        public static let inputOutput = Code(rawValue: "input_output")
        /// Something is in use, or would be overwritten.
        public static let conflict = Code(rawValue: "conflict")
        /// A loss, gradient or parameter stopped being a finite number.
        public static let notFinite = Code(rawValue: "not_finite")
        /// A feature, device or library is not available here.
        public static let unavailable = Code(rawValue: "unavailable")
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, with names, shapes or paths, and what to do.
    public var message: String
    /// The error underneath, if there is one.
    public var cause: (any Error)?

    /// Creates an error.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message, followed by the cause's.
    public var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}
