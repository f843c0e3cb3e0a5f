internal import CRondoKernels

extension Tensor {
    /// Creates a dense tensor on the CPU whose bytes `initialize` writes, all of them.
    public init(
        shape: Shape, dtype: DType, initialize: (UnsafeMutableRawBufferPointer) throws -> Void
    ) throws {
        self = try Tensor.uninitialized(shape, dtype)
        try initialize(UnsafeMutableRawBufferPointer(start: storage.pointer, count: byteCount))
    }

    /// A dense tensor of undefined contents on the CPU, to be written through ``mutableBytes``.
    static func uninitialized(_ shape: Shape, _ dtype: DType) throws -> Tensor {
        let storage = try CPUBackend.shared.allocate(byteCount: possibleByteCount(shape, dtype))
        return Tensor(storage: storage, dtype: dtype, shape: shape, strides: contiguousStrides(shape, dtype))
    }

    /// The bytes that a dense tensor takes.
    ///
    /// - Throws: ``RondoError`` for negative extents and for products that overflow.
    static func possibleByteCount(_ shape: Shape, _ dtype: DType) throws -> Int {
        guard shape.allSatisfy({ $0 >= 0 }) else {
            throw RondoError(.invalidArgument, "a tensor cannot have the shape \(shape): extents must not be negative")
        }
        guard let bytes = dtype.byteCount(shape: shape) else {
            throw RondoError(.invalidArgument, "a tensor of shape \(shape) does not fit into memory")
        }
        return bytes
    }

    /// Creates a dense tensor over memory on the host, without copying or even reading it.
    ///
    /// - Parameters:
    ///   - bytes: The elements in row-major order, as many as the shape takes (``DType/byteCount(shape:)``), aligned
    ///     for the type. Nobody may change them; a tensor that is changed in place copies them first.
    ///   - owner: Keeps the memory valid, and is kept by all tensors that share it.
    ///   - shape: The shape.
    ///   - dtype: The type of the elements.
    /// - Throws: ``RondoError`` of code `shapeMismatch` when the size does not fit.
    public init(
        borrowing bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable, shape: Shape, dtype: DType
    ) throws {
        guard bytes.count == dtype.byteCount(shape: shape), shape.allSatisfy({ $0 >= 0 }) else {
            throw RondoError(
                .shapeMismatch,
                "a \(dtype.rawValue) tensor of shape \(shape) takes "
                    + "\(dtype.byteCount(shape: shape).map { "\($0)" } ?? "too many") bytes, \(bytes.count) were given")
        }
        guard let address = bytes.baseAddress else {
            self = try Tensor.uninitialized(shape, dtype)
            return
        }
        self.init(
            storage: Storage(borrowing: address, byteCount: bytes.count, owner: owner), dtype: dtype, shape: shape,
            strides: Tensor.contiguousStrides(shape, dtype))
    }

    /// Creates a tensor from elements in row-major order.
    /// - Throws: ``RondoError`` when the number of elements is not the product of the extents.
    public init<Element: TensorElement>(_ elements: [Element], shape: Shape? = nil) throws {
        let shape = shape ?? [elements.count]
        guard shape.product == elements.count else {
            throw RondoError(
                .shapeMismatch,
                "a tensor of shape \(shape) has \(shape.product) elements, \(elements.count) were given")
        }
        try self.init(shape: shape, dtype: Element.dtype) { bytes in
            elements.withUnsafeBytes { bytes.copyMemory(from: $0) }
        }
    }

    /// Creates a scalar.
    public init(_ value: Double, dtype: DType = .float32) throws {
        self = try Tensor.full([], value, dtype: dtype)
    }

    /// A tensor whose elements all equal `value`.
    public static func full(_ shape: Shape, _ value: Double, dtype: DType = .float32) throws -> Tensor {
        guard dtype.isDifferentiable else {
            return try full(shape, value, dtype: .float64).cast(to: dtype)
        }
        let result = try uninitialized(shape, dtype)
        let type = try dtype.kernelType("full")
        parallelFor(result.count, grain: CPUBackend.elementwiseGrain) { range in
            rk_fill(type, value, result.mutableBytes + range.lowerBound * dtype.byteCount, range.count)
        }
        return result
    }

    /// A tensor without elements, to stand in a place for a moment.
    package static var empty: Tensor { Tensor(storage: placeholder, dtype: .float32, shape: [0], strides: [1]) }

    /// A tensor of zeros.
    public static func zeros(_ shape: Shape, dtype: DType = .float32) throws -> Tensor {
        try full(shape, 0, dtype: dtype)
    }

    /// A tensor of ones.
    public static func ones(_ shape: Shape, dtype: DType = .float32) throws -> Tensor {
        try full(shape, 1, dtype: dtype)
    }

    /// The numbers 0, 1, …, `count` - 1.
    public static func range(_ count: Int, dtype: DType = .int32) throws -> Tensor {
        try Tensor((0..<Int32(clamping: count)).map { $0 }).cast(to: dtype)
    }

    /// The identity matrix.
    public static func identity(_ size: Int, dtype: DType = .float32) throws -> Tensor {
        let index = try range(size, dtype: dtype)
        return try index.expanded(at: 1).equal(to: index.expanded(at: 0))
    }
}

extension Tensor {
    /// The address of the first element.
    var bytes: UnsafeRawPointer { UnsafeRawPointer(storage.pointer) + byteOffset }

    /// The address of the first element, for the operation that makes this tensor.
    var mutableBytes: UnsafeMutableRawPointer { storage.pointer + byteOffset }

    /// Position of the first element in the storage, in bytes.
    private var byteOffset: Int {
        dtype.isQuantized ? offset / dtype.blockLength * dtype.byteCount : offset * dtype.byteCount
    }

    /// Gives `body` the elements in row-major order (copied first if this is a view out of order).
    ///
    /// On other devices than the CPU the bytes are brought to the host.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        let dense = try detached().contiguous()
        if dense.device == .cpu {
            return try withExtendedLifetime(dense.storage) {
                try body(UnsafeRawBufferPointer(start: dense.bytes, count: dense.byteCount))
            }
        }
        let host = UnsafeMutableRawBufferPointer.allocate(byteCount: dense.byteCount, alignment: 64)
        defer { host.deallocate() }
        try dense.storage.backend.download(dense.storage, offset: dense.byteOffset, to: host)
        return try body(UnsafeRawBufferPointer(host))
    }

    /// The elements in row-major order.
    /// - Throws: ``RondoError`` when `Element` is not the tensor's type.
    public func array<Element: TensorElement>(of type: Element.Type = Element.self) throws -> [Element] {
        guard Element.dtype == dtype else {
            throw RondoError(
                .dtypeMismatch,
                "array(of:): the tensor holds \(dtype.rawValue), not \(Element.dtype.rawValue); cast it first")
        }
        return try withUnsafeBytes { Array($0.bindMemory(to: Element.self)) }
    }

    /// The only element of a tensor, as a `Double`.
    public func scalar() throws -> Double {
        guard count == 1 else {
            throw RondoError(.shapeMismatch, "scalar(): shape \(shape) has \(count) elements, not one")
        }
        return try cast(to: .float64).array(of: Double.self)[0]
    }

    /// Lets `body` change the elements in place; copies first if the memory is shared with another tensor or is a
    /// view, so that no other value ever changes.
    public mutating func mutateInPlace<Result>(
        _ body: (UnsafeMutableRawBufferPointer) throws -> Result
    ) throws -> Result {
        link = nil
        if !isUniqueAndDense() { self = try Workspace.outside { try copied() } }
        return try body(UnsafeMutableRawBufferPointer(start: mutableBytes, count: byteCount))
    }

    /// `self += scale * other`, in place when nobody else sees this memory.
    ///
    /// Derivatives do not flow through it.
    public mutating func accumulate(_ other: Tensor, scale: Double = 1) throws {
        guard dtype == other.dtype, shape == other.shape, dtype.isDifferentiable, other.isContiguous,
            isUniqueAndDense()
        else {
            self = try Workspace.outside { try self + (scale == 1 ? other : other * scale) }
            return
        }
        let type = try dtype.kernelType("accumulate")
        let size = dtype.byteCount
        let target = self
        parallelFor(count, grain: CPUBackend.elementwiseGrain) { range in
            let start = range.lowerBound * size
            rk_axpy(type, scale, other.bytes + start, target.mutableBytes + start, range.count)
        }
    }

    /// Replaces each element by a function of it, in place when nobody else sees this memory.
    ///
    /// Derivatives do not flow through it.
    public mutating func update(_ operation: UnaryOperation) throws {
        let type = try dtype.kernelType(operation.rawValue)
        try mutateInPlace { _ in }
        let (target, size) = (self, dtype.byteCount)
        parallelFor(count, grain: CPUBackend.elementwiseGrain) { range in
            let start = target.mutableBytes + range.lowerBound * size
            rk_unary(type, operation.kernel, start, start, range.count)
        }
    }

    /// Becomes the rows of a table `[rows, ...]` at int32 indices, in its own memory where type and shape are right.
    ///
    /// The type is the table's ``DType/computationType``. Derivatives do not flow through it.
    ///
    /// - Throws: ``RondoError`` of code `outOfRange` when an index has no row.
    public mutating func update(takingRows indices: Tensor, of table: Tensor) throws {
        guard table.rank == 2, table.isContiguous, indices.dtype == .int32, table.dtype.computationType.isDifferentiable
        else {
            self = try Workspace.outside {
                try table.detached().takingRows(indices).cast(to: table.dtype.computationType)
            }
            return
        }
        try indices.requireIndices(below: table.shape[0], "takingRows")
        let wanted = indices.shape + table.shape.dropFirst()
        try Workspace.outside { try claim(wanted, table.dtype.computationType) }
        let (type, kind) = (try dtype.kernelType("takingRows"), table.dtype.storageKind)
        let (columns, indices) = (table.shape[1], try indices.dense())
        let row = rk_row_bytes(kind, columns)
        for place in 0..<indices.count {
            rk_expand_rows(
                type, kind, 1, columns, table.bytes + Int(indices.int32[place]) * row,
                mutableBytes + place * columns * dtype.byteCount)
        }
    }

    /// Becomes a tensor of undefined elements that are its alone, in the memory it has where that is possible.
    mutating func claim(_ shape: Shape, _ dtype: DType) throws {
        guard self.shape != shape || self.dtype != dtype || requiresGradient || !isUniqueAndDense() else { return }
        self = try Tensor.uninitialized(shape, dtype)
    }

    private mutating func isUniqueAndDense() -> Bool { isContiguous && isUnique() }

    /// Whether no other tensor shares the memory.
    mutating func isUnique() -> Bool {
        // The storage is a `let`: move it through a variable to ask how many owners it has.
        guard !storage.isBorrowed else { return false }
        var owner = storage
        self = Tensor(storage: Tensor.placeholder, dtype: dtype, shape: shape, strides: strides, offset: offset)
        let unique = isKnownUniquelyReferenced(&owner)
        self = Tensor(storage: owner, dtype: dtype, shape: shape, strides: strides, offset: offset)
        return unique
    }

    /// A dense copy in memory of its own, through which no derivative flows (as through ``contiguous()``).
    public func copied() throws -> Tensor {
        try TensorList.with(detached()) { try storage.backend.evaluate(.copy, $0, shape: shape, dtype: dtype) }
    }

    /// Stands in for a tensor's storage while it is asked for its owners.
    private static let placeholder = CPUBackend.emptyStorage
}
