public import RondoTensor

/// A set of strings over a small alphabet, from which strings of a given length can be drawn.
public protocol FormalLanguage: Sendable {
    /// The alphabet in the order of its tokens.
    var symbols: [String] { get }

    /// Whether a string is in the language.
    func contains(_ string: [Int32]) -> Bool

    /// The greatest length up to a bound that a string of the language has, the empty one left out; `nil` if none has.
    func longestLength(upTo bound: Int) -> Int?

    /// A string of the language.
    ///
    /// - Parameters:
    ///   - length: The number of symbols.
    ///   - generator: Draws it; all strings of the length are equally likely.
    /// - Returns: The string, or `nil` if the language has none of this length.
    func member(length: Int, using generator: inout Generator) -> [Int32]?

    /// A string outside the language.
    ///
    /// - Parameters:
    ///   - length: The number of symbols.
    ///   - generator: Draws it; all strings of the length are equally likely.
    /// - Returns: The string, or `nil` if none was found.
    func stranger(length: Int, using generator: inout Generator) -> [Int32]?
}

extension FormalLanguage {
    /// A string that differs in one symbol from one of the language, and is outside it.
    ///
    /// - Parameters:
    ///   - length: The number of symbols.
    ///   - generator: Draws it: a string of the language, a position, another symbol; again if that is inside.
    /// - Returns: The string, or `nil` if 32 draws gave none.
    public func nearMiss(length: Int, using generator: inout Generator) -> [Int32]? {
        guard symbols.count > 1, length > 0 else { return nil }
        for _ in 0..<32 {
            guard var string = member(length: length, using: &generator) else { return nil }
            let position = Int.random(in: 0..<length, using: &generator)
            let shift = 1 + generator.token(below: symbols.count - 1)
            string[position] = (string[position] + shift) % Int32(symbols.count)
            if !contains(string) { return string }
        }
        return nil
    }

    /// A string that is in the language or not with equal chances; of those outside, half are near misses.
    ///
    /// - Parameters:
    ///   - length: The number of symbols, of which the language must have a string.
    ///   - generator: Draws it.
    /// - Returns: The string; one of the language if none outside was found.
    func balancedString(length: Int, using generator: inout Generator) -> [Int32] {
        let isMember = generator.flip()
        let isNear = generator.flip()
        var string: [Int32]?
        if !isMember, isNear { string = nearMiss(length: length, using: &generator) }
        if !isMember, string == nil { string = stranger(length: length, using: &generator) }
        return string ?? member(length: length, using: &generator) ?? []
    }
}
