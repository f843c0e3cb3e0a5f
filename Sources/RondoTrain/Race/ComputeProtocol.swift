/// How many steps equal compute buys, in whole numbers (Stanić et al., 2023, section 3).
public enum ComputeProtocol {
    /// The steps that fit a time at a measured speed: tokens/s · time / (tokens of a step), rounded to the nearest.
    ///
    /// - Parameters:
    ///   - tokensPerSecond: The speed of training, measured before.
    ///   - milliseconds: The time.
    ///   - tokensPerStep: Sequences of a step times their length.
    /// - Returns: The steps; `Int.max` if there are more.
    public static func steps(tokensPerSecond: Int, milliseconds: Int, tokensPerStep: Int) -> Int {
        let (divisor, overflow) = tokensPerStep.multipliedReportingOverflow(by: 1000)
        return overflow ? 0 : rounded(tokensPerSecond, milliseconds, over: divisor)
    }

    /// The steps that fit a number of operations, rounded to the nearest.
    ///
    /// - Parameters:
    ///   - operations: The operations there are.
    ///   - operationsPerStep: Those of one step.
    /// - Returns: The steps.
    public static func steps(operations: Int, operationsPerStep: Int) -> Int {
        rounded(operations, 1, over: operationsPerStep)
    }

    /// a · b / divisor to the nearest whole number, halves up; exact, as the product has twice the width.
    private static func rounded(_ a: Int, _ b: Int, over divisor: Int) -> Int {
        guard a > 0, b > 0, divisor > 0 else { return 0 }
        let product = UInt(a).multipliedFullWidth(by: UInt(b))
        guard product.high < UInt(divisor) else { return .max }
        let (quotient, remainder) = UInt(divisor).dividingFullWidth(product)
        let steps = quotient + (remainder >= UInt(divisor) - remainder ? 1 : 0)
        return Int(clamping: steps)
    }
}
