import Glibc
import RondoTensor

/// A buffered, sequential writer to a new file.
///
/// It is lent to the closure of `AtomicFile.write` and must not be used after that closure returns.
public final class FileWriter {
    private static let capacity = 1 << 18

    private let descriptor: Descriptor
    private var buffer: [UInt8] = []
    private var flushed = 0

    init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    /// Bytes written so far.
    public var position: Int { flushed + buffer.count }

    /// Appends raw bytes.
    ///
    /// - Parameter bytes: The bytes.
    /// - Throws: `RondoError` that names the file, for example on a full disk.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        if buffer.count + bytes.count > Self.capacity { try flush() }
        if bytes.count >= Self.capacity {
            try descriptor.writeAll(bytes)
            flushed += bytes.count
        } else {
            buffer.append(contentsOf: bytes)
        }
    }

    /// Appends bytes.
    ///
    /// - Parameter bytes: The bytes.
    /// - Throws: `RondoError` that names the file, for example on a full disk.
    public func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0) }
    }

    /// Appends text as UTF-8.
    ///
    /// - Parameter text: The text.
    /// - Throws: `RondoError` that names the file, for example on a full disk.
    public func write(_ text: String) throws {
        try write(Array(text.utf8))
    }

    /// Overwrites bytes that were already written, for example a header whose content is known only at the end.
    ///
    /// - Parameters:
    ///   - offset: Where to start; offset and length must lie before `position`.
    ///   - bytes: The new bytes.
    /// - Throws: `RondoError` if the range was not written yet, or the disk refuses.
    public func overwrite(at offset: Int, _ bytes: [UInt8]) throws {
        guard offset >= 0, offset + bytes.count <= position else {
            throw RondoError(
                .outOfRange,
                "overwrite: bytes \(offset)..<\(offset + bytes.count) of '\(descriptor.path)' are not written yet "
                    + "(position \(position))")
        }
        try flush()
        try bytes.withUnsafeBytes { try descriptor.writeAll($0, at: offset) }
    }

    /// Hands everything to the disk and waits for it.
    func finish() throws {
        try flush()
        try descriptor.synchronize()
    }

    private func flush() throws {
        guard !buffer.isEmpty else { return }
        try buffer.withUnsafeBytes { try descriptor.writeAll($0) }
        flushed += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }
}
