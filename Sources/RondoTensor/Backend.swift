/// What a device must offer: memory, the primitives, and kernels for fused operations it knows.
///
/// Everything above this protocol (shapes, derivatives, modules, training) is the same for every device.
public protocol Backend: AnyObject, Sendable {
    /// The device this backend drives.
    var device: Device { get }

    /// Makes a block of at least `byteCount` bytes with undefined contents.
    /// - Throws: ``RondoError`` when the device has no memory left.
    func allocate(byteCount: Int) throws -> Storage

    /// Takes back a block of ``allocate(byteCount:)``.
    func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int)

    /// Copies host bytes into a block.
    func upload(_ bytes: UnsafeRawBufferPointer, to storage: Storage) throws

    /// Copies the first `bytes.count` bytes from `offset` of a block to the host.
    func download(_ storage: Storage, offset: Int, to bytes: UnsafeMutableRawBufferPointer) throws

    /// Computes a primitive whose result has been found to have `shape` and `dtype`.
    func evaluate(_ primitive: Primitive, _ inputs: TensorList, shape: Shape, dtype: DType) throws -> Tensor

    /// The device's own implementation of a fused operation, or `nil`: then its reference runs.
    func kernel(for operation: any FusedOperation) -> (any FusedKernel)?
}
