import Glibc
import RondoIO
import RondoTensor

/// One scalar in a TensorBoard event file.
public struct ScalarEvent: Sendable, Equatable {
    /// Seconds since 1970.
    public var wallTime: Double
    /// The training step.
    public var step: Int
    /// The name of the curve, such as `train/loss`.
    public var tag: String
    /// The value; event files hold single precision.
    public var value: Float

    /// Creates a scalar.
    ///
    /// - Parameters:
    ///   - wallTime: Seconds since 1970.
    ///   - step: The training step.
    ///   - tag: The name of the curve.
    ///   - value: The value.
    public init(wallTime: Double, step: Int, tag: String, value: Float) {
        self.wallTime = wallTime
        self.step = step
        self.tag = tag
        self.value = value
    }
}

/// A TensorBoard event file (TFRecord frames around `Event` messages) that only ever grows by whole records.
public final class EventFile: Sendable {
    private let file: AppendOnlyFile

    /// Opens an event file for appending: a new one gets its version record, a torn last record is removed.
    ///
    /// - Parameters:
    ///   - path: The file, whose name must contain `tfevents` for TensorBoard to find it.
    ///   - wallTime: Seconds since 1970, for the version record.
    /// - Throws: `RondoError` that names the path.
    public init(appendingTo path: String, wallTime: Double) throws {
        file = try AppendOnlyFile(path)
        let bytes = try FileSystem.readBytes(path)
        let end = TFRecord.frames(in: bytes).last?.end ?? 0
        if end < bytes.count { try file.truncate(to: end) }
        if end == 0 { try file.append(TFRecord.frame(EventMessage.version(wallTime: wallTime))) }
    }

    /// Appends scalars in one write.
    ///
    /// - Parameter events: The scalars.
    /// - Throws: `RondoError` that names the path, for example on a full disk.
    public func append(_ events: [ScalarEvent]) throws {
        try file.append(events.flatMap { TFRecord.frame(EventMessage.encode($0)) })
    }

    /// Waits until everything appended is on the disk.
    ///
    /// - Throws: `RondoError` that names the path.
    public func synchronize() throws { try file.synchronize() }

    /// Reads the scalars of all undamaged records up to the first damaged one.
    ///
    /// - Parameter path: The file.
    /// - Returns: The scalars in order.
    /// - Throws: `RondoError` if the file cannot be read.
    public static func read(_ path: String) throws -> [ScalarEvent] {
        let bytes = try FileSystem.readBytes(path)
        return TFRecord.frames(in: bytes).flatMap { EventMessage.decode(bytes[$0.payload]) }
    }

    /// Shortens a file to the records before the first one that does not belong.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - belongs: Whether a scalar stays; records without scalars stay.
    /// - Throws: `RondoError` that names the path.
    public static func truncate(_ path: String, keepingWhile belongs: (ScalarEvent) -> Bool) throws {
        let bytes = try FileSystem.readBytes(path)
        let kept = TFRecord.frames(in: bytes).prefix { EventMessage.decode(bytes[$0.payload]).allSatisfy(belongs) }
        let end = kept.last?.end ?? 0
        if end < bytes.count { try AppendOnlyFile(path).truncate(to: end) }
    }

    /// The usual name of an event file: TensorBoard looks for `tfevents` and sorts by the time in it.
    ///
    /// - Parameter wallTime: Seconds since 1970.
    /// - Returns: A name such as `events.out.tfevents.1767225600.hostname`.
    public static func name(wallTime: Double) -> String {
        var host = [CChar](repeating: 0, count: 256)
        let known = gethostname(&host, host.count - 1) == 0
        let name = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "events.out.tfevents.\(Int(wallTime)).\(known && !name.isEmpty ? name : "localhost")"
    }
}

/// The framing of TensorFlow records: length, its check, payload, its check, all little-endian.
enum TFRecord {
    static func frame(_ payload: [UInt8]) -> [UInt8] {
        let length = bytes(of: UInt64(payload.count))
        return length + bytes(of: maskedCheck(length)) + payload + bytes(of: maskedCheck(payload))
    }

    /// The complete, undamaged frames from the start of a file.
    static func frames(in file: [UInt8]) -> [(payload: Range<Int>, end: Int)] {
        var result: [(payload: Range<Int>, end: Int)] = []
        var start = 0
        while file.count - start >= 16 {
            let length: UInt64 = integer(file[start..<(start + 8)])
            guard length <= UInt64(file.count - start - 16),
                integer(file[(start + 8)..<(start + 12)]) == maskedCheck(Array(file[start..<(start + 8)]))
            else { break }
            let payload = (start + 12)..<(start + 12 + Int(length))
            let check: UInt32 = integer(file[payload.upperBound..<(payload.upperBound + 4)])
            guard check == maskedCheck(Array(file[payload])) else { break }
            start = payload.upperBound + 4
            result.append((payload, start))
        }
        return result
    }

    /// Checks are rotated and shifted, so that a check over data with checks in it stays meaningful.
    private static func maskedCheck(_ bytes: [UInt8]) -> UInt32 {
        let check = CRC32C.checksum(bytes)
        return (check >> 15 | check << 17) &+ 0xA282_EAD8
    }

    static func bytes(of value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    static func integer<Integer: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> Integer {
        bytes.reversed().reduce(0) { $0 << 8 | Integer(truncatingIfNeeded: $1) }
    }
}

/// The part of TensorFlow's `Event` protocol buffer that scalars need.
///
/// Event: 1 wall_time (double), 2 step (int64), 3 file_version (string), 5 summary. Summary: 1 repeated value.
/// Value: 1 tag (string), 2 simple_value (float).
enum EventMessage {
    static func version(wallTime: Double) -> [UInt8] {
        field(1, wallTime) + field(3, Array("brain.Event:2".utf8))
    }

    static func encode(_ event: ScalarEvent) -> [UInt8] {
        let value = field(1, Array(event.tag.utf8)) + key(2, wire: 5) + TFRecord.bytes(of: event.value.bitPattern)
        let step = key(2, wire: 0) + varint(UInt64(bitPattern: Int64(event.step)))
        return field(1, event.wallTime) + step + field(5, field(1, value))
    }

    static func decode(_ message: ArraySlice<UInt8>) -> [ScalarEvent] {
        var wallTime = 0.0
        var step = 0
        var values: [(tag: String, value: Float)] = []
        for field in fields(of: message) {
            switch field {
            case (1, .fixed64(let bits)): wallTime = Double(bitPattern: bits)
            case (2, .varint(let bits)): step = Int(Int64(bitPattern: bits))
            case (5, .bytes(let summary)):
                for case (1, .bytes(let value)) in fields(of: summary) {
                    if let scalar = scalar(value) { values.append(scalar) }
                }
            default: break
            }
        }
        return values.map { ScalarEvent(wallTime: wallTime, step: step, tag: $0.tag, value: $0.value) }
    }

    private static func scalar(_ message: ArraySlice<UInt8>) -> (tag: String, value: Float)? {
        var tag: String?
        var value: Float?
        for field in fields(of: message) {
            switch field {
            case (1, .bytes(let bytes)): tag = String(decoding: bytes, as: UTF8.self)
            case (2, .fixed32(let bits)): value = Float(bitPattern: bits)
            default: break
            }
        }
        guard let tag, let value else { return nil }
        return (tag, value)
    }

    private static func key(_ number: UInt64, wire: UInt64) -> [UInt8] { varint(number << 3 | wire) }

    private static func field(_ number: UInt64, _ value: Double) -> [UInt8] {
        key(number, wire: 1) + TFRecord.bytes(of: value.bitPattern)
    }

    private static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
        key(number, wire: 2) + varint(UInt64(bytes.count)) + bytes
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private enum Field {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    /// Splits a message into numbered fields; ends at the first one that makes no sense.
    private static func fields(of message: ArraySlice<UInt8>) -> [(Int, Field)] {
        var rest = message
        var result: [(Int, Field)] = []
        while let key = takeVarint(&rest) {
            let number = Int(truncatingIfNeeded: key >> 3)
            switch key & 7 {
            case 0:
                guard let value = takeVarint(&rest) else { return result }
                result.append((number, .varint(value)))
            case 1:
                guard rest.count >= 8 else { return result }
                result.append((number, .fixed64(TFRecord.integer(rest.prefix(8)))))
                rest = rest.dropFirst(8)
            case 2:
                guard let length = takeVarint(&rest), length <= UInt64(rest.count) else { return result }
                result.append((number, .bytes(rest.prefix(Int(length)))))
                rest = rest.dropFirst(Int(length))
            case 5:
                guard rest.count >= 4 else { return result }
                result.append((number, .fixed32(TFRecord.integer(rest.prefix(4)))))
                rest = rest.dropFirst(4)
            default: return result
            }
        }
        return result
    }

    private static func takeVarint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
