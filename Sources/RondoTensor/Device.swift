/// Where a tensor's bytes live and its operations run.
public struct Device: Hashable, Sendable, CustomStringConvertible {
    /// The family of devices ("cpu").
    public let kind: String
    /// The number of the device within its family.
    public let index: Int

    /// Creates the name of a device.
    ///
    /// It says nothing about whether the device exists here.
    public init(kind: String, index: Int = 0) {
        self.kind = kind
        self.index = index
    }

    /// The machine's processor and memory.
    public static let cpu = Device(kind: "cpu")

    /// The name as users type it: "cpu", "cuda:1".
    public var description: String { index == 0 ? kind : "\(kind):\(index)" }
}

/// A block of memory on a device; tensors share it and see parts of it.
///
/// Blocks are written once, by the operation that makes them. The one exception, in-place updates by optimisers
/// and states, happens only where a tensor is the block's sole owner (``Tensor/mutateInPlace(_:)``), and never in
/// borrowed memory.
public final class Storage: @unchecked Sendable {
    /// The backend that made the block and takes it back.
    public let backend: any Backend
    /// The device-specific address of the first byte.
    public let pointer: UnsafeMutableRawPointer
    /// The usable size in bytes.
    public let byteCount: Int
    /// Keeps borrowed memory valid; `nil` for blocks of the backend.
    private let owner: (any AnyObject & Sendable)?

    /// Whether the memory belongs to someone else and is only read.
    public var isBorrowed: Bool { owner != nil }

    /// Wraps memory that `backend` allocated; the backend's `deallocate` is called when the last owner goes.
    public init(backend: any Backend, pointer: UnsafeMutableRawPointer, byteCount: Int) {
        self.backend = backend
        self.pointer = pointer
        self.byteCount = byteCount
        owner = nil
    }

    /// Wraps memory on the host that `owner` keeps valid and nobody changes.
    init(borrowing pointer: UnsafeRawPointer, byteCount: Int, owner: any AnyObject & Sendable) {
        backend = CPUBackend.shared
        self.pointer = UnsafeMutableRawPointer(mutating: pointer)
        self.byteCount = byteCount
        self.owner = owner
    }

    deinit {
        if owner == nil { backend.deallocate(pointer, byteCount: byteCount) }
    }
}
