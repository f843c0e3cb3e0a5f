internal import CRondoKernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The processor: primitives through the C kernels, in pieces that depend on shapes alone.
public final class CPUBackend: Backend {
    /// The one instance.
    public static let shared = CPUBackend()

    /// Elements per piece of elementwise work.
    static let elementwiseGrain = 1 << 16

    static let emptyStorage = Storage(
        backend: shared,
        pointer: UnsafeMutableRawPointer(bitPattern: 64)
            ?? UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64),
        byteCount: -1)

    /// The name "cpu".
    public let device = Device.cpu

    private init() {}

    /// Makes a block on the host.
    public func allocate(byteCount: Int) throws -> Storage {
        try Workspace.block(byteCount: byteCount) { byteCount in
            Storage(
                backend: self, pointer: try Runtime.hostAllocator.allocate(byteCount: byteCount), byteCount: byteCount)
        }
    }

    /// Takes a block back into the cache.
    public func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        guard byteCount >= 0 else { return }
        Runtime.hostAllocator.deallocate(pointer, byteCount: byteCount)
    }

    /// Copies bytes into a block.
    public func upload(_ bytes: UnsafeRawBufferPointer, to storage: Storage) throws {
        guard let base = bytes.baseAddress else { return }
        memcpy(storage.pointer, base, bytes.count)
    }

    /// Copies bytes out of a block.
    public func download(_ storage: Storage, offset: Int, to bytes: UnsafeMutableRawBufferPointer) throws {
        guard let base = bytes.baseAddress else { return }
        memcpy(base, storage.pointer + offset, bytes.count)
    }

    /// The operation itself, if it is its own CPU kernel.
    public func kernel(for operation: any FusedOperation) -> (any FusedKernel)? {
        operation.cpuKernel
    }

    /// Computes a primitive.
    public func evaluate(_ primitive: Primitive, _ inputs: TensorList, shape: Shape, dtype: DType) throws -> Tensor {
        // The list is passed on, not its elements: copying a tensor counts the owners of two objects.
        if dtype == .int32 || inputs[0].dtype == .int32, let result = try throughDoubles(primitive, inputs, dtype) {
            return result
        }
        switch primitive {
        case .copy: return try copy(inputs[0], shape: shape)
        case .cast: return try cast(inputs[0], to: dtype)
        case .binary(let operation): return try binary(operation, inputs, shape)
        case .select: return try select(inputs, shape)
        case .matmul: return try Gemm.matmul(inputs[0], inputs[1], shape)
        case .concatenate(let axis): return try concatenate(inputs, axis, shape)
        case .unslice(let axis, let start, let step, _):
            return try unslice(inputs[0], axis: axis, start: start, step: step, shape)
        case .takeRows: return try takeRows(inputs[0], inputs[1], shape)
        case .scatterAddRows: return try scatterAddRows(inputs[0], inputs[1], shape)
        case .takeAlong(let axis): return try takeAlong(inputs[0], inputs[1], axis, shape)
        case .scatterAddAlong(let axis, _): return try scatterAddAlong(inputs[0], inputs[1], axis, shape)
        case .reduce(let operation, let axes): return try reduce(operation, inputs[0], axes, shape)
        case .cumulativeSum(let axis, let reverse): return try cumulativeSum(inputs[0], axis, reverse)
        case .argument(let smallest, let axis): return try argument(inputs[0], smallest, axis, shape)
        case .argumentSort(let descending): return try argumentSort(inputs[0], descending)
        case .reshape: return try copy(inputs[0], shape: inputs[0].shape).reshaped(shape)
        case .unaryGradient(let operation): return try unaryGradient(operation, inputs)
        case .unary, .affine, .power, .clamp: return try elementwise(primitive, inputs[0])
        case .permute, .broadcast, .slice:
            throw RondoError(.unavailable, "\(primitive.name): views are made without a backend")
        }
    }

    /// int32 arithmetic is exact in float64, and rare: it runs there.
    private func throughDoubles(_ primitive: Primitive, _ inputs: TensorList, _ dtype: DType) throws -> Tensor? {
        switch primitive {
        case .unary, .affine, .power, .clamp, .binary, .select, .reduce, .cumulativeSum, .matmul:
            return try Tensor.apply(primitive, inputs.map { try $0.detached().cast(to: .float64) }).cast(to: dtype)
        case .argument, .argumentSort:
            guard inputs[0].dtype == .int32 else { return nil }
            return try Tensor.apply(primitive, inputs.map { try $0.detached().cast(to: .float64) })
        default: return nil
        }
    }
}

extension Tensor {
    /// Whether the CPU's kernels can read it.
    var isOnCPU: Bool { storage.backend === CPUBackend.shared }

    /// An operand in dense memory, without its record.
    func dense() throws -> Tensor {
        isContiguous ? self : try detached().copied()
    }

    /// Extents before, along and after an axis, of dense memory.
    func extents(around axis: Int) -> (outer: Int, axis: Int, inner: Int) {
        (shape[..<axis].reduce(1, *), shape[axis], shape[(axis + 1)...].reduce(1, *))
    }
}
