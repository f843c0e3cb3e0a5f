/// The operands of a primitive: tensors that somebody else keeps for the time of a call, without an array of their own.
///
/// Do not keep it beyond the call.
public struct TensorList: RandomAccessCollection {
    private let tensors: UnsafeBufferPointer<Tensor>

    private init(_ tensors: UnsafeBufferPointer<Tensor>) { self.tensors = tensors }

    /// Calls `body` with one tensor.
    static func with<Result>(_ a: Tensor, _ body: (TensorList) throws -> Result) rethrows -> Result {
        try withUnsafePointer(to: a) { try body(TensorList(UnsafeBufferPointer(start: $0, count: 1))) }
    }

    /// Calls `body` with two tensors.
    static func with<Result>(_ a: Tensor, _ b: Tensor, _ body: (TensorList) throws -> Result) rethrows -> Result {
        try withUnsafePointer(to: (a, b)) { pair in
            try pair.withMemoryRebound(to: Tensor.self, capacity: 2) {
                try body(TensorList(UnsafeBufferPointer(start: $0, count: 2)))
            }
        }
    }

    /// Calls `body` with the tensors of an array.
    static func with<Result>(_ array: [Tensor], _ body: (TensorList) throws -> Result) rethrows -> Result {
        try array.withUnsafeBufferPointer { try body(TensorList($0)) }
    }

    /// 0.
    public var startIndex: Int { 0 }

    /// The place behind the last tensor.
    public var endIndex: Int { tensors.count }

    /// The tensor at a place.
    public subscript(index: Int) -> Tensor {
        _read { yield tensors[index] }
    }
}
