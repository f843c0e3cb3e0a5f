/// Regular languages with names, over the symbols 0 and 1.
public enum RegularLanguage: String, Codable, Sendable, CaseIterable {
    /// Ones only.
    case tomita1
    /// Repetitions of 10.
    case tomita2
    /// No odd run of ones with an odd run of zeros right after it.
    case tomita3
    /// No three zeros in a row.
    case tomita4
    /// Even numbers of zeros and of ones.
    case tomita5
    /// The numbers of zeros and of ones differ by a multiple of three.
    case tomita6
    /// Zeros, ones, zeros, ones: at most four runs, which may be empty.
    case tomita7
    /// An even number of neighbours that differ: the first and the last symbol are the same.
    case evenPairs = "even_pairs"

    /// The automaton.
    public var automaton: FiniteAutomaton {
        let (transitions, accepting) = table
        return FiniteAutomaton(["0", "1"], transitions, accepting: transitions.indices.map(accepting.contains))
    }

    private var table: (transitions: [[Int]], accepting: Set<Int>) {
        switch self {
        case .tomita1: ([[1, 0], [1, 1]], [0])
        case .tomita2: ([[2, 1], [0, 2], [2, 2]], [0])
        // Even ones; odd ones; odd zeros after odd ones; even zeros after odd ones; too late.
        case .tomita3: ([[0, 1], [2, 0], [3, 4], [2, 1], [4, 4]], [0, 1, 3])
        case .tomita4: ([[1, 0], [2, 0], [3, 0], [3, 3]], [0, 1, 2])
        case .tomita5: ([[1, 2], [0, 3], [3, 0], [2, 1]], [0])
        case .tomita6: ([[1, 2], [2, 0], [0, 1]], [0])
        case .tomita7: ([[0, 1], [2, 1], [2, 3], [4, 3], [4, 4]], [0, 1, 2, 3])
        // Nothing; began with 0 and ends with 0, 1; began with 1 and ends with 1, 0.
        case .evenPairs: ([[1, 3], [1, 2], [1, 2], [4, 3], [4, 3]], [0, 1, 3])
        }
    }
}

/// Context-free languages with names.
public enum ContextFreeLanguage: String, Codable, Sendable, CaseIterable {
    /// aⁿbⁿ with n ≥ 1.
    case equalRuns = "a_n_b_n"
    /// aⁿbᵐcⁿ⁺ᵐ with n, m ≥ 1.
    case addition = "a_n_b_m_c_n_plus_m"
    /// Strings of a and b that read the same backwards.
    case palindromes
    /// A string of a and b, c, and the string backwards.
    case markedPalindromes = "marked_palindromes"
    /// Balanced brackets of two kinds.
    case brackets

    /// An unambiguous grammar.
    public var grammar: ContextFreeGrammar {
        switch self {
        case .equalRuns:
            // S → A B | A T, T → S B.
            Self.grammar("ab", [(0, 1, 2), (0, 1, 3), (3, 0, 2)], [(1, 0), (2, 1)])
        case .addition:
            // S → A P | A Q, P → S C, Q → T C, T → B C | B Q.
            Self.grammar(
                "abc", [(0, 1, 4), (0, 1, 5), (4, 0, 3), (5, 6, 3), (6, 2, 3), (6, 2, 5)], [(1, 0), (2, 1), (3, 2)])
        case .palindromes:
            // S → A A | B B | A P | B Q | a | b, P → S A, Q → S B.
            Self.grammar(
                "ab", [(0, 1, 1), (0, 2, 2), (0, 1, 3), (0, 2, 4), (3, 0, 1), (4, 0, 2)],
                [(0, 0), (0, 1), (1, 0), (2, 1)])
        case .markedPalindromes:
            // S → A P | B Q | c, P → S A, Q → S B.
            Self.grammar("abc", [(0, 1, 3), (0, 2, 4), (3, 0, 1), (4, 0, 2)], [(0, 2), (1, 0), (2, 1)])
        case .brackets:
            // S → X S | X, X → ( ) | ( Y | [ ] | [ Z, Y → S ), Z → S ].
            Self.grammar(
                "()[]",
                [0, 1].flatMap { [($0, 2, 3), ($0, 2, 6), ($0, 4, 5), ($0, 4, 7)] }
                    + [(0, 1, 0), (6, 0, 3), (7, 0, 5)],
                [(2, 0), (3, 1), (4, 2), (5, 3)])
        }
    }

    private static func grammar(
        _ symbols: String, _ pairs: [(Int, Int, Int)], _ leaves: [(Int, Int)]
    ) -> ContextFreeGrammar {
        ContextFreeGrammar(symbols.map(String.init), pairs.map { .init($0, $1, $2) }, leaves.map { .init($0, $1) })
    }
}
