/// A dense, typed, n-dimensional array: a value that shares its memory with copies and views of it.
///
/// Operations return new tensors (or views where no element moves) and throw ``RondoError`` when shapes or types
/// do not fit. A tensor made inside ``valueAndGradient(of:_:)`` remembers how it was made.
public struct Tensor: Sendable {
    /// The memory; views of one tensor share it.
    public let storage: Storage
    /// The type of the elements.
    public let dtype: DType
    /// Extents, outermost first; `[]` is a scalar.
    public let shape: Shape
    /// Distance in elements between neighbours along each axis; 0 where the axis is broadcast.
    ///
    /// It counts the elements with which rows of quantised types are filled up to whole blocks.
    public let strides: Shape
    /// Position of the first element in the storage, in elements.
    public let offset: Int
    /// How the tensor was made, if derivatives flow through it.
    var link: GradientLink?

    init(
        storage: Storage, dtype: DType, shape: Shape, strides: Shape, offset: Int = 0, link: GradientLink? = nil
    ) {
        self.storage = storage
        self.dtype = dtype
        self.shape = shape
        self.strides = strides
        self.offset = offset
        self.link = link
    }

    /// The number of axes.
    public var rank: Int { shape.count }

    /// The number of elements.
    public var count: Int { shape.product }

    /// The device that holds the elements.
    public var device: Device { storage.backend.device }

    /// Bytes of the elements in dense memory.
    public var byteCount: Int {
        dtype.isQuantized ? dtype.byteCount(shape: shape) ?? 0 : count * dtype.byteCount
    }

    /// Whether the elements lie one after the other in row-major order.
    public var isContiguous: Bool {
        var expected = 1
        for axis in stride(from: rank - 1, through: 0, by: -1) {
            guard shape[axis] == 1 || strides[axis] == expected else { return shape.contains(0) }
            expected *= axis == rank - 1 ? dtype.paddedCount(shape[axis]) : shape[axis]
        }
        return true
    }

    /// Whether derivatives flow through this tensor.
    public var requiresGradient: Bool { link != nil }

    /// The same values, cut off from derivatives (stop-gradient).
    public func detached() -> Tensor {
        var copy = self
        copy.link = nil
        return copy
    }

    /// Strides, in elements, of a dense row-major array.
    static func contiguousStrides(_ shape: Shape, _ dtype: DType) -> Shape {
        var strides = Shape(repeating: 1, count: shape.count)
        for axis in stride(from: shape.count - 2, through: 0, by: -1) {
            // Extents that overflow here belong to a tensor without elements.
            let extent = axis == shape.count - 2 ? dtype.paddedCount(shape[axis + 1]) : shape[axis + 1]
            strides[axis] = strides[axis + 1] &* Swift.max(extent, 1)
        }
        return strides
    }

    /// `axis` counted from the front: -1 is the last axis.
    /// - Throws: ``RondoError`` of code `outOfRange`.
    func normalizedAxis(_ axis: Int, _ operation: String) throws -> Int {
        let normalized = axis < 0 ? axis + rank : axis
        guard normalized >= 0, normalized < Swift.max(rank, 1) else {
            throw RondoError(
                .outOfRange, "\(operation): axis \(axis) does not exist in shape \(shape); use -\(rank)..<\(rank)")
        }
        return normalized
    }
}

extension Tensor: CustomStringConvertible {
    /// Shape, type and, for small tensors, the elements.
    public var description: String {
        let head = "Tensor(shape: \(shape), dtype: \(dtype.rawValue)"
        guard count <= 64, let values = try? cast(to: .float64).array(of: Double.self) else { return head + ")" }
        return head + ", values: \(values))"
    }
}
