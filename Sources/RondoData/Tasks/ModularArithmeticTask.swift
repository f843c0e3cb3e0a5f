public import RondoTensor

/// The value of an expression of digits modulo a number; products come before sums.
public struct ModularArithmeticTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "modular_arithmetic",
        summary: "What is the value of 3+4*2-1 modulo 5?",
        definition: """
            Input: numbers below `modulus` with an operator, + - or *, between any two, then =. Numbers and operators are \
            independent and uniform; products come before sums. Asked at =: the value modulo `modulus`. With \
            `asks_at_every_number`, asked at every number instead: the value of the expression that ends there. A length \
            counts the symbols before =; an expression has an odd number of them, so that an even length is one symbol \
            shorter. Chance: a single number makes a sum uniform, so every value has a share of 1/5 except where all \
            terms are products; 0 has 0.253 at length 3 and 0.208 at length 9.
            """,
        source: "Delétang et al., 2022; Grazzi et al., 2024")

    /// The numbers are 0 to one less, and so are the values.
    public var modulus = 5
    /// Whether the value of every beginning is asked, rather than that of the whole.
    public var asksAtEveryNumber = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses a modulus without numbers.
    public func validate() throws { try requireModulus(modulus) }

    /// Numbers, then + - * =.
    public var input: TaskInput { .tokens(modulus + 4) }
    /// The value.
    public var output: TaskOutput { .classes(modulus) }
    /// Up to 40.
    public var trainingLengths: ClosedRange<Int> { 3...40 }
    /// Up to 256.
    public var testLengths: [Int] { [40, 64, 128, 256] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        var tokens = [generator.token(below: modulus)]
        // The value is that of all terms before the last, plus the last, which a product may still change.
        var (sum, term) = (0, Int(tokens[0]))
        var classes = [tokens[0]]
        for _ in 0..<(length - 1) / 2 {
            let operation = ArithmeticOperation.random(multiplying: true, using: &generator)
            let number = generator.token(below: modulus)
            tokens += [operation.token(modulus: modulus), number]
            switch operation {
            case .plus: (sum, term) = (sum + term, Int(number))
            case .minus: (sum, term) = (sum + term, -Int(number))
            case .times: term = term * Int(number) % modulus
            }
            sum %= modulus
            classes += [TaskExample.unasked, Int32((sum + term).modulo(modulus))]
        }
        let value = classes[classes.count - 1]
        tokens.append(ArithmeticOperation.equalsToken(modulus: modulus))
        classes = asksAtEveryNumber ? classes + [TaskExample.unasked] : .unasked(classes.count) + [value]
        return TaskExample(tokens: tokens, classes: classes)
    }

    /// Numbers and operators.
    public func text(ofInput token: Int32) -> String { arithmeticText(token, modulus: modulus) }
}

/// The value of an expression of digits and brackets modulo a number.
public struct BracketedArithmeticTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "modular_arithmetic_brackets",
        summary: "What is the value of ((3-4)+(-2)) modulo 5?",
        definition: """
            Input: an expression, then =. An expression of 1 symbol is a number below `modulus`, of 2 a minus and a \
            number, of 3 a number in brackets, of 4 a minus and a number in brackets. A longer one of n symbols is \
            (L op R), where the length of L is uniform from 1 to n - 4 and R has what is left; op is + or -, with \
            `multiplication` + - or *. Numbers and operators are independent and uniform. Asked at =: the value modulo \
            `modulus`. A length counts the symbols before =. Chance: 1/5 for every value without multiplication; with \
            it, 0 is likelier.
            """,
        source: "Delétang et al., 2022; Grazzi et al., 2024")

    /// The numbers are 0 to one less, and so are the values.
    public var modulus = 5
    /// Whether numbers are multiplied too.
    public var multiplication = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses a modulus without numbers.
    public func validate() throws { try requireModulus(modulus) }

    /// Numbers, then + - * = ( ).
    public var input: TaskInput { .tokens(modulus + 6) }
    /// The value.
    public var output: TaskOutput { .classes(modulus) }
    /// Up to 40.
    public var trainingLengths: ClosedRange<Int> { 3...40 }
    /// Up to 256.
    public var testLengths: [Int] { [40, 64, 128, 256] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        var tokens: [Int32] = []
        let value = append(length, to: &tokens, using: &generator)
        tokens.append(ArithmeticOperation.equalsToken(modulus: modulus))
        return TaskExample(tokens: tokens, classes: .unasked(length) + [Int32(value)])
    }

    /// Appends an expression and returns its value.
    private func append(_ length: Int, to tokens: inout [Int32], using generator: inout Generator) -> Int {
        let (open, close) = (Int32(modulus + 4), Int32(modulus + 5))
        guard length >= 5 else {
            let number = generator.token(below: modulus)
            let minus = length % 2 == 0 ? [ArithmeticOperation.minus.token(modulus: modulus)] : []
            tokens += length >= 3 ? [open] + minus + [number, close] : minus + [number]
            return (minus.isEmpty ? Int(number) : -Int(number)).modulo(modulus)
        }
        let leftLength = Int.random(in: 1...length - 4, using: &generator)
        tokens.append(open)
        let left = append(leftLength, to: &tokens, using: &generator)
        let operation = ArithmeticOperation.random(multiplying: multiplication, using: &generator)
        tokens.append(operation.token(modulus: modulus))
        let right = append(length - 3 - leftLength, to: &tokens, using: &generator)
        tokens.append(close)
        return operation.apply(left, right).modulo(modulus)
    }

    /// Numbers, operators and brackets.
    public func text(ofInput token: Int32) -> String { arithmeticText(token, modulus: modulus) }
}

// MARK: - Symbols

/// The operators, in the order of their tokens, which follow the numbers.
private enum ArithmeticOperation: Int32, CaseIterable {
    case plus
    case minus
    case times

    static func random(multiplying: Bool, using generator: inout Generator) -> Self {
        allCases[Int(generator.token(below: multiplying ? 3 : 2))]
    }

    static func equalsToken(modulus: Int) -> Int32 { Int32(modulus) + 3 }

    func token(modulus: Int) -> Int32 { Int32(modulus) + rawValue }

    func apply(_ left: Int, _ right: Int) -> Int {
        switch self {
        case .plus: left + right
        case .minus: left - right
        case .times: left * right
        }
    }
}

private let arithmeticSymbols = ["+", "-", "*", "=", "(", ")"]

private func arithmeticText(_ token: Int32, modulus: Int) -> String {
    let symbol = Int(token) - modulus
    return arithmeticSymbols.indices.contains(symbol) ? arithmeticSymbols[symbol] : "\(token)"
}

private func requireModulus(_ modulus: Int) throws {
    try requireValue((2...1000).contains(modulus), "modulus", modulus, "from 2 to 1000")
}

extension Int {
    /// The remainder in `0..<modulus`, also of negative numbers.
    fileprivate func modulo(_ modulus: Int) -> Int { (self % modulus + modulus) % modulus }
}
