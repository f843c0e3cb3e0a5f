import RondoTensor

/// Ends a stream of bytes before the first of some strings, wherever the pieces of the stream are cut.
///
/// Bytes that may be the beginning of a stop string are kept back until it is clear that they are not: at most one
/// fewer than the longest has. The stop string itself and what follows it are never passed on. With several, the one
/// that is complete first ends the stream; of those complete at the same byte, the longest.
public struct StopStrings: Sendable, Codable, Equatable {
    /// The strings to look for, the longest first.
    public let stops: [[UInt8]]
    /// The string that ended the stream.
    public private(set) var matched: [UInt8]?
    /// The bytes kept back.
    public private(set) var pending: [UInt8] = []

    /// Creates a filter; without strings it passes everything on at once.
    ///
    /// - Throws: `RondoError` with code `invalidArgument` for an empty stop string, which would end every stream.
    public init(_ stops: [[UInt8]]) throws {
        guard !stops.contains(where: \.isEmpty) else {
            throw RondoError(.invalidArgument, "stop string: must not be empty")
        }
        self.stops = stops.sorted { $0.count > $1.count }
    }

    /// Creates a filter for the UTF-8 bytes of strings.
    ///
    /// - Throws: `RondoError` with code `invalidArgument` for an empty stop string.
    public init(_ stops: [String]) throws {
        try self.init(stops.map { Array($0.utf8) })
    }

    /// Whether a stop string was found; all that comes after is ignored.
    public var isStopped: Bool { matched != nil }

    /// Takes the next bytes and returns those that are certainly not part of a stop string.
    public mutating func append(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        guard !stops.isEmpty else { return Array(bytes) }
        var output: [UInt8] = []
        for byte in bytes where !isStopped {
            pending.append(byte)
            if let stop = stops.first(where: { pending.ends(with: $0) }) {
                output += pending.dropLast(stop.count)
                pending = []
                matched = stop
            } else {
                let certain = pending.count - keptBack
                output += pending[..<certain]
                pending.removeFirst(certain)
            }
        }
        return output
    }

    /// Returns what was kept back, at the end of the stream.
    public mutating func finish() -> [UInt8] {
        defer { pending = [] }
        return pending
    }

    /// The length of the longest suffix of what is pending with which a stop string begins.
    private var keptBack: Int {
        for start in pending.indices where stops.contains(where: { $0.starts(with: pending[start...]) }) {
            return pending.count - start
        }
        return 0
    }
}

extension [UInt8] {
    fileprivate func ends(with suffix: [UInt8]) -> Bool {
        count >= suffix.count && self[(count - suffix.count)...].elementsEqual(suffix)
    }
}
