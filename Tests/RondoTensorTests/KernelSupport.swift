import CRondoKernels
import Testing

/// An element type of the kernels.
protocol KernelScalar: BinaryFloatingPoint, BitwiseCopyable, Sendable {
    static var kernelType: rk_type { get }
    /// Relative error allowed after a short chain of operations.
    static var tolerance: Double { get }
}

extension Float: KernelScalar {
    static var kernelType: rk_type { RK_FLOAT32 }
    static var tolerance: Double { 1e-6 }
}

extension Double: KernelScalar {
    static var kernelType: rk_type { RK_FLOAT64 }
    static var tolerance: Double { 4e-15 }
}

/// The sizes every kernel is tried with.
let kernelSizes = [1, 3, 33, 100, 1000]

/// Runs a test at every level this CPU has.
func atEveryLevel(_ body: () throws -> Void) rethrows {
    defer { rk_set_thread_level(-1) }
    for level in [RK_BASELINE, RK_AVX2, RK_AVX512] where rk_set_thread_level(Int32(level.rawValue)) {
        try body()
    }
}

/// Deterministic numbers in a range: the high bits of a linear congruential generator.
func numbers<Scalar: KernelScalar>(
    _ count: Int, in range: ClosedRange<Double> = -2...2, seed: UInt64 = 1, as type: Scalar.Type = Scalar.self
) -> [Scalar] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let unit = Double(state >> 11) * 0x1p-53
        return Scalar(range.lowerBound + unit * (range.upperBound - range.lowerBound))
    }
}

/// Whether two numbers agree within a relative tolerance, absolute for small ones.
///
/// NaN agrees with NaN.
func agree(_ value: Double, _ expected: Double, _ tolerance: Double, floor: Double = 1) -> Bool {
    if value == expected || (value.isNaN && expected.isNaN) { return true }
    return abs(value - expected) <= tolerance * max(abs(expected), floor)
}

/// Expects that two arrays agree element by element; reports the first that does not.
func expectClose<Scalar: KernelScalar>(
    _ values: [Scalar], _ expected: [Double], _ tolerance: Double = Scalar.tolerance, floor: Double = 1,
    _ what: String = "", at location: SourceLocation = #_sourceLocation
) {
    #expect(values.count == expected.count, sourceLocation: location)
    let wrong = zip(values, expected).enumerated().first { !agree(Double($1.0), $1.1, tolerance, floor: floor) }
    guard let (index, (value, reference)) = wrong else { return }
    let level = rk_current_level().rawValue
    Issue.record(
        "\(what) \(Scalar.self) level \(level): element \(index) is \(value), expected \(reference)",
        sourceLocation: location)
}

/// The same with the usual tolerance.
func expectClose<Scalar: KernelScalar>(
    _ values: [Scalar], _ expected: [Double], _ what: String, at location: SourceLocation = #_sourceLocation
) {
    expectClose(values, expected, Scalar.tolerance, what, at: location)
}
