import RondoIO
import RondoTensor

/// A value in a tokenizer file that knows where it stands, to name the place in errors.
struct FileNode {
    let value: JSONValue
    /// The path of the file.
    let source: String
    /// The steps from the root of the document: `pre_tokenizer.pretokenizers[0]`.
    let path: String

    /// An error about this value.
    func failure(_ reason: String, _ code: RondoError.Code = .corruptFile) -> RondoError {
        RondoError(code, "\(source): \(path.isEmpty ? "the document" : path): \(reason)")
    }

    /// The error about something that exists but is not implemented here.
    func unsupported(_ what: String) -> RondoError { failure("\(what) is not supported", .unavailable) }

    /// A member, unless it is missing or null.
    func optional(_ key: String) -> FileNode? {
        guard let member = value[key], member != .null else { return nil }
        return FileNode(value: member, source: source, path: path.isEmpty ? key : "\(path).\(key)")
    }

    /// A member that must be there.
    func required(_ key: String) throws -> FileNode {
        guard let member = optional(key) else { throw failure("the key '\(key)' is missing") }
        return member
    }

    /// The elements of a list.
    func elements() throws -> [FileNode] {
        guard let elements = value.arrayValue else { throw failure("must be a list") }
        return elements.enumerated().map { index, element in
            FileNode(value: element, source: source, path: "\(path)[\(index)]")
        }
    }

    /// The members of an object.
    func members() throws -> [(key: String, value: JSONValue)] {
        guard let object = value.objectValue else { throw failure("must be an object") }
        return object.members
    }

    /// Makes sure that nothing would be ignored.
    func allowKeys(_ known: [String]) throws {
        guard let object = value.objectValue else { throw failure("must be an object") }
        for key in object.keys where !known.contains(key) {
            throw failure("the key '\(key)' is not known" + Suggestion.advice(for: key, known: known, noun: "keys"))
        }
    }

    /// The `type` of an object.
    func type() throws -> String { try required("type").string() }

    /// The value as a string.
    func string() throws -> String {
        guard let text = value.stringValue else { throw failure("must be a string") }
        return text
    }

    /// The value as the bytes of a string.
    func bytes() throws -> [UInt8] { Array(try string().utf8) }

    /// The value as a string of one character (one Unicode scalar).
    func scalar() throws -> UInt32 {
        let scalars = try string().unicodeScalars
        guard let scalar = scalars.first, scalars.count == 1 else { throw failure("must be a single character") }
        return scalar.value
    }

    /// The value as a truth value.
    func bool() throws -> Bool {
        guard let truth = value.boolValue else { throw failure("must be true or false") }
        return truth
    }

    /// The value as a number that is not negative.
    func count() throws -> Int {
        guard let number = value.intValue, number >= 0 else { throw failure("must be a whole number, 0 or more") }
        return number
    }

    /// The value as the number of a token.
    func tokenID() throws -> Int32 { try FileNode.tokenID(value, at: { self }) }

    /// A value as the number of a token.
    static func tokenID(_ value: JSONValue, at node: () -> FileNode) throws -> Int32 {
        guard let number = value.intValue, (0..<maximumTokenCount).contains(number) else {
            throw node().failure("the number of a token must be in 0..<\(maximumTokenCount)")
        }
        return Int32(number)
    }

    /// Larger vocabularies are taken for damage: a table is as long as the largest number.
    static let maximumTokenCount = 1 << 24

    /// A truth value that may be missing.
    func bool(_ key: String, default fallback: Bool) throws -> Bool { try optional(key)?.bool() ?? fallback }

    /// A string that may be missing.
    func string(_ key: String) throws -> String? { try optional(key)?.string() }
}
