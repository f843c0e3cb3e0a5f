import RondoTensor
import RondoTestSupport
import Testing

/// Derivatives of primitives in float64 against central differences.
@Suite struct GradientTests {
    init() { poisonFreshMemory() }

    /// Random inputs, the same in every run.
    static func draws(_ shapes: Shape..., seed: UInt64 = 1) throws -> [Tensor] {
        var generator = Generator(seed: seed)
        return try shapes.map { try generator.away($0) }
    }

    /// The numbers 0, 0.1, 0.2, … in random order.
    private static func spaced(_ shape: Shape) throws -> Tensor {
        var generator = Generator(seed: 3)
        return try Tensor((0..<shape.product).map { Double($0) / 10 }.shuffled(using: &generator), shape: shape)
    }

    @Test(arguments: UnaryOperation.allCases) func unary(_ operation: UnaryOperation) throws {
        var generator = Generator(seed: 7)
        let needsPositive: Set<UnaryOperation> = [.log, .log1p, .sqrt, .rsqrt]
        for shape in [[], [1], [33], [3, 0], [2, 5]] as [Shape] {
            let x = try generator.away(shape)
            let input = try needsPositive.contains(operation) ? x.abs() : x
            #expect(try GradientCheck.mismatch([input]) { [try $0[0].unary(operation)] } == nil)
            // Not dense, and read twice.
            guard shape.count == 2 else { continue }
            #expect(
                try GradientCheck.mismatch([input]) {
                    let y = try $0[0].transposed().unary(operation)
                    return [y, try y * 2]
                } == nil)
        }
    }

    @Test(arguments: BinaryOperation.allCases) func binary(_ operation: BinaryOperation) throws {
        let pairs: [(Shape, Shape)] = [
            ([], []), ([3], []), ([], [3]), ([2, 3], [2, 3]), ([3, 1, 5], [4, 1]), ([1], [33]), ([2, 0], [1, 1]),
            ([2, 1, 1], [3, 5]),
        ]
        for (left, right) in pairs {
            var inputs = try Self.draws(left, right)
            if operation == .power { inputs[0] = try inputs[0].abs() }
            #expect(
                try GradientCheck.mismatch(inputs) { [try Self.apply(operation, $0[0], $0[1])] } == nil,
                "\(left) and \(right)")
        }
    }

    private static func apply(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) throws -> Tensor {
        switch operation {
        case .add: try a + b
        case .subtract: try a - b
        case .multiply: try a * b
        case .divide: try a / b
        case .power: try a.power(b)
        case .maximum: try a.maximum(b)
        case .minimum: try a.minimum(b)
        case .equal: try a.equal(to: b)
        case .notEqual: try a.notEqual(to: b)
        case .less: try a.less(than: b)
        case .lessEqual: try a.lessOrEqual(to: b)
        case .greater: try a.greater(than: b)
        case .greaterEqual: try a.greaterOrEqual(to: b)
        }
    }

    @Test func equalOperandsShareTheDerivativeOfTheMaximum() throws {
        let x = try Tensor([1.0, 2.0])
        let (_, gradients) = try valueAndGradient(of: [x, x]) { try $0[0].maximum($0[1]).sum() }
        #expect(try gradients[0].array(of: Double.self) == [0.5, 0.5])
        #expect(try gradients[1].array(of: Double.self) == [0.5, 0.5])
    }

    @Test(arguments: ReduceOperation.allCases) func reductions(_ operation: ReduceOperation) throws {
        let axesSets: [Shape?] = [nil, [], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2], [-1]]
        for shape in [[2, 3, 4], [1, 1, 1], [3, 1, 33]] as [Shape] {
            // Extremes need distances larger than the differences' steps.
            let isExtreme = operation == .maximum || operation == .minimum
            let inputs = try isExtreme ? [Self.spaced(shape)] : Self.draws(shape)
            for axes in axesSets {
                for keeping in [true, false] {
                    #expect(
                        try GradientCheck.mismatch(inputs) { inputs in
                            switch operation {
                            case .sum: [try inputs[0].sum(axes, keepingAxes: keeping)]
                            case .maximum: [try inputs[0].max(axes, keepingAxes: keeping)]
                            case .minimum: [try inputs[0].min(axes, keepingAxes: keeping)]
                            case .product: [try inputs[0].product(axes, keepingAxes: keeping)]
                            }
                        } == nil, "\(shape) over \(String(describing: axes))")
                }
            }
        }
    }

    @Test func reductionsOfEmptyAxes() throws {
        let inputs = try Self.draws([3, 0, 2])
        #expect(try GradientCheck.mismatch(inputs) { [try $0[0].sum([1]), try $0[0].product([1])] } == nil)
        #expect(try inputs[0].sum([1]).array(of: Double.self) == [Double](repeating: 0, count: 6))
        #expect(try inputs[0].product([1]).array(of: Double.self) == [Double](repeating: 1, count: 6))
    }

    @Test func productWithZeros() throws {
        let x = try Tensor([2.0, 0, 3, 0, 0, 5], shape: [2, 3])
        let (_, gradients) = try valueAndGradient(of: [x]) { try $0[0].product([1]).sum() }
        #expect(try gradients[0].array(of: Double.self) == [0, 6, 0, 0, 0, 0])
    }

    @Test func scalarFunctions() throws {
        let x = try Self.draws([3, 5])
        #expect(try GradientCheck.mismatch(x) { [try $0[0].affine(-2, 3), try 2 / $0[0], try 1 - $0[0]] } == nil)
        #expect(try GradientCheck.mismatch(x) { [try $0[0].clamped(-0.9, 0.8)] } == nil)
        for exponent in [2, 3, -1, 0.5, 2.7] {
            #expect(try GradientCheck.mismatch([x[0].abs()]) { [try $0[0].power(exponent)] } == nil)
        }
        #expect(try GradientCheck.mismatch(x) { [try $0[0].logSumExp(), try $0[0].mean([0])] } == nil)
    }

    @Test func selectionAndSums() throws {
        let inputs = try Self.draws([2, 1, 5], [3, 1])
        let mask = try Tensor([1.0, 0, 0, 1, 1], shape: [5])
        #expect(try GradientCheck.mismatch(inputs) { [try Tensor.select(mask, $0[0], $0[1])] } == nil)
        for axis in 0..<3 {
            for reverse in [false, true] {
                #expect(
                    try GradientCheck.mismatch(Self.draws([3, 4, 5])) {
                        [try $0[0].cumulativeSum(axis, reverse: reverse)]
                    } == nil)
            }
        }
    }

    @Test func castsKeepDerivatives() throws {
        let x = try Self.draws([5])
        let (_, gradients) = try valueAndGradient(of: x) { try $0[0].cast(to: .float32).square().sum() }
        #expect(gradients[0].dtype == .float64)
        #expect(try Tolerance(.float32).mismatch(gradients[0], x[0] * 2) == nil)
        let (_, blocked) = try valueAndGradient(of: x) {
            try $0[0].cast(to: .int32).cast(to: .float64).sum() + $0[0].detached().sum()
        }
        #expect(try blocked[0].array(of: Double.self) == [0, 0, 0, 0, 0])
    }

    @Test func complexNumbers() throws {
        let inputs = try Self.draws([3], [3], [2, 1], [2, 1])
        #expect(
            try GradientCheck.mismatch(inputs) {
                let (a, b) = (ComplexTensor($0[0], $0[1]), ComplexTensor($0[2], $0[3]))
                let results = try [a + b, a - b, a * b, a / b, a.exp(), a.conjugate(), (a * b).sum([0])]
                return try results.flatMap { [$0.real, $0.imaginary] } + [a.squaredModulus()]
            } == nil)
    }
}
