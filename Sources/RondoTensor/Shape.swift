/// A short list of whole numbers without memory of its own: extents, strides, or the numbers of axes.
///
/// It holds up to ``capacity`` numbers, more axes than any tensor has. An array in its place would cost an allocation
/// for every tensor that a small operation makes, which takes as long as the operation.
@frozen
public struct Shape: Sendable {
    /// As many numbers as a list can hold.
    public static let capacity = 8

    /// The numbers; what lies behind the last is 0, so that equal lists have equal memory.
    @usableFromInline var numbers: (Int, Int, Int, Int, Int, Int, Int, Int)
    /// How many numbers there are.
    @usableFromInline var length: Int

    /// Creates an empty list.
    @inlinable
    public init() {
        numbers = (0, 0, 0, 0, 0, 0, 0, 0)
        length = 0
    }

    /// Creates a list of two to four numbers without the array that a literal takes.
    init(_ a: Int, _ b: Int, _ c: Int? = nil, _ d: Int? = nil) {
        numbers = (a, b, c ?? 0, d ?? 0, 0, 0, 0, 0)
        length = c == nil ? 2 : d == nil ? 3 : 4
    }

    /// Creates a list of numbers that a file or a user gives.
    ///
    /// The other ways to make a list stop the program when there are more than ``capacity`` numbers.
    ///
    /// - Parameter numbers: The numbers.
    /// - Throws: ``RondoError`` of code `shapeMismatch` if there are too many.
    public init(checking numbers: some Collection<Int>) throws {
        guard numbers.count <= Self.capacity else {
            throw RondoError(
                .shapeMismatch,
                "a tensor cannot have the shape \(Array(numbers)): \(numbers.count) axes are too many; the limit is "
                    + "\(Self.capacity)")
        }
        self.init(numbers)
    }

    /// The numbers that `transform` makes of these.
    @inlinable
    public func mapping(_ transform: (Int) throws -> Int) rethrows -> Shape {
        var result = self
        for index in 0..<length { result[index] = try transform(self[index]) }
        return result
    }

    /// The product of the numbers: of extents, how many elements there are.
    @inlinable public var product: Int {
        var result = 1
        for index in 0..<length { result *= self[index] }
        return result
    }

    /// Of an order of axes, the one that takes it back.
    var inverted: Shape {
        var result = self
        for index in 0..<length { result[self[index]] = index }
        return result
    }

    /// The numbers in rising order.
    func ascending() -> Shape {
        var result = self
        result.order(by: <)
        return result
    }

    /// Sorts by insertion, which keeps equal numbers in their order: the library's sort would take an array for it.
    mutating func order(by precedes: (Int, Int) -> Bool) {
        for end in indices.dropFirst() {
            var place = end
            while place > 0, precedes(self[place], self[place - 1]) {
                swapAt(place, place - 1)
                place -= 1
            }
        }
    }

    /// Gives `body` the address of the numbers.
    func withUnsafePointer<Result>(_ body: (UnsafePointer<Int>) throws -> Result) rethrows -> Result {
        try Swift.withUnsafePointer(to: numbers) {
            try $0.withMemoryRebound(to: Int.self, capacity: Self.capacity, body)
        }
    }
}

extension Shape: RandomAccessCollection, MutableCollection {
    /// 0.
    @inlinable public var startIndex: Int { 0 }

    /// The place behind the last number.
    @inlinable public var endIndex: Int { length }

    /// The number at a place.
    @inlinable public subscript(index: Int) -> Int {
        get {
            precondition(index >= 0 && index < length, "a place outside a shape")
            return withUnsafeBytes(of: numbers) {
                $0.load(fromByteOffset: index * MemoryLayout<Int>.stride, as: Int.self)
            }
        }
        set {
            precondition(index >= 0 && index < length, "a place outside a shape")
            withUnsafeMutableBytes(of: &numbers) {
                $0.storeBytes(of: newValue, toByteOffset: index * MemoryLayout<Int>.stride, as: Int.self)
            }
        }
    }
}

extension Shape: RangeReplaceableCollection {
    /// Puts a number behind the last.
    @inlinable
    public mutating func append(_ number: Int) {
        precondition(length < Self.capacity, "more axes than the limit of 8")
        length += 1
        self[length - 1] = number
    }

    /// Puts other numbers in the place of some.
    @inlinable
    public mutating func replaceSubrange(_ range: Range<Int>, with other: some Collection<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= length, "places outside a shape")
        let old = self
        self = Shape()
        for index in 0..<range.lowerBound { append(old[index]) }
        for number in other { append(number) }
        for index in range.upperBound..<old.length { append(old[index]) }
    }
}

extension Shape: ExpressibleByArrayLiteral {
    /// Creates the list that a literal says.
    ///
    /// Inlined, so that the literal's array stays on the stack.
    @inlinable @inline(__always)
    public init(arrayLiteral numbers: Int...) {
        self.init()
        for index in 0..<numbers.count { append(numbers[index]) }
    }
}

extension Shape: Hashable {
    /// Whether two lists have the same numbers.
    @inlinable
    public static func == (a: Shape, b: Shape) -> Bool {
        guard a.length == b.length else { return false }
        for index in 0..<a.length where a[index] != b[index] { return false }
        return true
    }

    /// Hashes the numbers.
    public func hash(into hasher: inout Hasher) {
        for number in self { hasher.combine(number) }
    }
}

extension Shape: CustomStringConvertible, CustomDebugStringConvertible {
    /// As an array is written.
    public var description: String { Array(self).description }

    /// As an array is written.
    public var debugDescription: String { description }
}
