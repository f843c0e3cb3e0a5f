import RondoTensor
import Testing

/// Shapes behave as arrays do, within their capacity.
@Suite struct ShapeTests {
    @Test func changesEqualThoseOfAnArray() {
        var (shape, array): (Shape, [Int]) = ([2, 3, 5, 7], [2, 3, 5, 7])
        func expectEqual(_ step: String) {
            #expect(Array(shape) == array, "\(step)")
            #expect(shape == Shape(array), "\(step)")
            #expect("\(shape)" == "\(array)", "\(step)")
        }
        shape.append(11)
        array.append(11)
        expectEqual("append")
        shape.insert(1, at: 0)
        array.insert(1, at: 0)
        expectEqual("insert")
        shape.remove(at: 3)
        array.remove(at: 3)
        expectEqual("remove")
        shape.replaceSubrange(1..<3, with: [4, 4, 4])
        array.replaceSubrange(1..<3, with: [4, 4, 4])
        expectEqual("replaceSubrange")
        shape.swapAt(0, 5)
        array.swapAt(0, 5)
        expectEqual("swapAt")
        shape.sort()
        array.sort()
        expectEqual("sort")
        shape.removeLast(4)
        array.removeLast(4)
        expectEqual("removeLast")
        #expect(Array(shape + [9]) == array + [9])
        #expect(Array([9] + shape.dropFirst()) == [9] + array.dropFirst())
    }

    @Test func whatWasRemovedDoesNotCount() {
        var shape: Shape = [2, 3, 4]
        shape.removeLast()
        #expect(shape == [2, 3])
        #expect(shape.hashValue == Shape([2, 3]).hashValue)
        #expect(shape != [3, 2] && shape != [2])
        #expect(shape.product == 6 && Shape().product == 1)
        #expect(shape.mapping { $0 * 10 } == [20, 30])
    }

    @Test func tooManyAxesAreRefused() throws {
        let most = Array(1...Shape.capacity)
        #expect(try Array(Shape(checking: most)) == most)
        #expect(throws: RondoError.self) { try Shape(checking: most + [1]) }
    }
}
