import RondoData
import RondoIO
import RondoTensor
import Testing

/// Evaluates expressions by descent, as a calculator does.
private struct Calculator {
    var symbols: [Character]
    var position = 0
    let modulus = 5

    init(_ text: some StringProtocol) { symbols = Array(text) }

    static func value(_ text: some StringProtocol) -> Int {
        var calculator = Calculator(text)
        let value = calculator.sum()
        #expect(calculator.position == calculator.symbols.count, "trailing symbols in \(text)")
        return (value % 5 + 5) % 5
    }

    private var next: Character? { position < symbols.count ? symbols[position] : nil }

    private mutating func sum() -> Int {
        var value = product()
        while let operation = next, "+-".contains(operation) {
            position += 1
            let right = product()
            value = (operation == "+" ? value + right : value - right) % modulus
        }
        return value
    }

    private mutating func product() -> Int {
        var value = factor()
        while next == "*" {
            position += 1
            value = value * factor() % modulus
        }
        return value
    }

    private mutating func factor() -> Int {
        guard let symbol = next else { return 0 }
        position += 1
        if symbol == "-" { return -factor() }
        if symbol != "(" { return Int(String(symbol)) ?? 0 }
        let value = sum()
        #expect(next == ")")
        position += 1
        return value
    }
}

@Suite struct ModularArithmeticTaskTests {
    @Test func theCalculatorCanCalculate() {
        #expect(Calculator.value("2+3*4-1") == 3)
        #expect(Calculator.value("((3-4)+(-2))") == 2)
    }

    @Test func theAnswerIsTheValue() throws {
        try forEachExample(of: ModularArithmeticTask(), lengths: 1...40, count: 2000) { example, length in
            #expect(example.inputs.count == (length % 2 == 1 ? length + 1 : length) && example.text.last == "=")
            #expect(example.asked == [example.inputs.count - 1])
            #expect(example.answers.last == "\(Calculator.value(example.text.dropLast()))", "\(example.text)")
        }
    }

    @Test func everyBeginningCanBeAsked() throws {
        let dense = try task(ModularArithmeticTask.self, #"{"asks_at_every_number": true}"#)
        try forEachExample(of: dense, lengths: [1, 9, 16]) { example, _ in
            #expect(example.asked == Array(stride(from: 0, to: example.inputs.count - 1, by: 2)))
            for position in example.asked {
                let beginning = example.inputs[...position].joined()
                #expect(example.answers[position] == "\(Calculator.value(beginning))", "\(beginning)")
            }
        }
    }

    @Test func bracketsAreRespected() throws {
        for multiplication in [false, true] {
            let bracketed = try task(BracketedArithmeticTask.self, #"{"multiplication": \#(multiplication)}"#)
            var symbols: Set<String> = []
            try forEachExample(of: bracketed, lengths: 1...40, count: 2000) { example, length in
                #expect(example.inputs.count == length + 1 && example.asked == [length])
                #expect(example.answers[length] == "\(Calculator.value(example.text.dropLast()))", "\(example.text)")
                symbols.formUnion(example.inputs)
            }
            #expect(symbols.contains("*") == multiplication && symbols.isSuperset(of: ["+", "-", "(", ")", "4"]))
        }
    }

    @Test func valuesAreAsLikelyAsTheCardSays() throws {
        func shareOfZero(_ task: some SequenceTask, _ length: Int) throws -> Double {
            var zeros = 0
            try forEachExample(of: task, lengths: [length], count: 8000) { example, _ in
                if example.answers.last == "0" { zeros += 1 }
            }
            return share(zeros, of: 8000)
        }
        #expect(abs(try shareOfZero(ModularArithmeticTask(), 3) - 0.2533) < 0.015)
        #expect(abs(try shareOfZero(ModularArithmeticTask(), 9) - 0.208) < 0.015)
        #expect(abs(try shareOfZero(BracketedArithmeticTask(), 12) - 0.2) < 0.015)
    }

    @Test func mistakesAreRefused() {
        expectRefusal(ModularArithmeticTask.self, #"{"modulus": 1}"#, naming: "modulus 1")
        expectRefusal(BracketedArithmeticTask.self, #"{"modulus": 0}"#, naming: "modulus 0")
    }
}

@Suite struct GroupWordTaskTests {
    /// Applies every permutation to the places of things, one after the other.
    @Test(arguments: PermutationGroup.allCases) func theAnswerIsTheRunningProduct(group: PermutationGroup) throws {
        for elements in ["all", "generators"] {
            let words = try task(
                GroupWordTask.self, #"{"group": "\#(group.rawValue)", "elements": "\#(elements)"}"#)
            try forEachExample(of: words, lengths: [1, 7, 30], count: 60) { example, length in
                var places = Array(0..<group.degree)
                #expect(example.asked == Array(0..<length))
                for (element, answer) in zip(example.inputs, example.answers) {
                    let images = element.compactMap(\.wholeNumberValue)
                    for thing in places.indices { places[thing] = images[places[thing]] }
                    #expect(answer == places.map(String.init).joined())
                }
            }
        }
    }

    @Test func groupsAreGroups() {
        let orders: [PermutationGroup: Int] = [.s3: 6, .s4: 24, .s5: 120, .a4: 12, .a5: 60]
        for group in PermutationGroup.allCases {
            #expect(group.order == orders[group] && group.elements[0] == Array(0..<group.degree))
            for element in 0..<group.order {
                #expect(Set((0..<group.order).map { group.product(element, $0) }).count == group.order)
                #expect(group.product(0, element) == element && group.product(element, 0) == element)
            }
            // Products of the two generators reach everything.
            var reached: Set<Int> = [0]
            var frontier = [0]
            while let element = frontier.popLast() {
                for generator in group.generators {
                    let product = group.product(element, generator)
                    if reached.insert(product).inserted { frontier.append(product) }
                }
            }
            #expect(group.generators.count == 2 && reached.count == group.order, "\(group)")
        }
    }

    @Test func elementsCanBeLimited() throws {
        let swaps = try task(GroupWordTask.self, #"{"group": "s5", "max_moved": 2}"#)
        #expect(swaps.input == .tokens(11) && swaps.output == .classes(120))
        #expect(try task(GroupWordTask.self, #"{"group": "a5", "max_moved": 3}"#).letters.count == 21)
        try forEachExample(of: swaps, lengths: [20], count: 20) { example, _ in
            #expect(example.inputs.allSatisfy { $0.enumerated().count { "\($0)" != "\($1)" } <= 2 })
        }
        expectRefusal(GroupWordTask.self, #"{"group": "a5", "max_moved": 2}"#, naming: "max_moved 2")
        expectRefusal(GroupWordTask.self, #"{"max_moved": 4}"#, naming: "from 2 to 3 in s3")
        expectRefusal(GroupWordTask.self, #"{"group": "s6"}"#, naming: "s5")
    }

    @Test func elementsAreUniform() throws {
        var counts: [String: Int] = [:]
        try forEachExample(of: GroupWordTask(), lengths: [30], count: 400) { example, _ in
            for element in example.inputs + example.answers.compactMap(\.self) { counts[element, default: 0] += 1 }
        }
        #expect(counts.count == 6 && counts.values.allSatisfy { abs(share($0, of: 24_000) - 1.0 / 6) < 0.01 })
    }

    @Test func onlyTheEndCanBeAsked() throws {
        let words = try task(GroupWordTask.self, #"{"asks_at_end_only": true}"#)
        try forEachExample(of: words, lengths: [9], count: 5) { example, _ in #expect(example.asked == [8]) }
    }
}

@Suite struct LastBitsTaskTests {
    @Test(arguments: [1, 2, 5, 16]) func parityIsThatOfTheLastBits(n: Int) throws {
        for dense in [false, true] {
            let parity = try task(NParityTask.self, #"{"n": \#(n), "asks_at_every_position": \#(dense)}"#)
            try forEachExample(of: parity, lengths: n...(4 * n + 1)) { example, length in
                #expect(example.asked == Array((dense ? n - 1 : length - 1)..<length))
                for end in example.asked {
                    let ones = example.text.prefix(end + 1).suffix(n).count { $0 == "1" }
                    #expect(example.classes[end] == Int32(ones % 2))
                }
            }
        }
    }

    @Test(arguments: [2, 5, 16]) func matchesAreThoseOfTheSample(n: Int) throws {
        for dense in [false, true] {
            let match = try task(DelayedMatchTask.self, #"{"n": \#(n), "asks_at_every_position": \#(dense)}"#)
            try forEachExample(of: match, lengths: n...(4 * n + 1)) { example, length in
                #expect(example.asked == Array((dense ? n - 1 : length - 1)..<length))
                for end in example.asked {
                    #expect(example.classes[end] == (example.tokens[end] == example.tokens[end - n + 1] ? 1 : 0))
                }
            }
        }
    }

    @Test(arguments: [(3, 0.5), (4, 0.6), (2, 2.0 / 3)]) func parityHasTheChanceOfTheCard(n: Int, chance: Double) throws
    {
        let parity = try task(NParityTask.self, #"{"n": \#(n)}"#)
        var zeros = 0
        try forEachExample(of: parity, lengths: [n + 3], count: 8000) { example, _ in
            if example.classes.last == 0 { zeros += 1 }
        }
        #expect(abs(share(zeros, of: 8000) - chance) < 0.02)
    }

    @Test func matchesAreFair() throws {
        var ones = 0
        try forEachExample(of: DelayedMatchTask(), lengths: [10], count: 8000) { example, _ in
            if example.classes.last == 1 { ones += 1 }
        }
        #expect(abs(share(ones, of: 8000) - 0.5) < 0.02)
    }

    @Test func mistakesAreRefused() throws {
        expectRefusal(NParityTask.self, #"{"n": 0}"#, naming: "n 0")
        expectRefusal(DelayedMatchTask.self, #"{"n": 1}"#, naming: "n 1")
        expectRefusal(try task(NParityTask.self, #"{"n": 9}"#), length: 8)
        expectRefusal(try task(DelayedMatchTask.self, #"{"n": 9}"#), length: 8)
    }
}

@Suite struct ParityTaskTests {
    @Test func parityIsThatOfAllBitsSoFar() throws {
        for atEnd in [false, true] {
            let parity = try task(ParityTask.self, #"{"asks_at_end_only": \#(atEnd)}"#)
            try forEachExample(of: parity, lengths: 1...20) { example, length in
                #expect(example.asked == Array((atEnd ? length - 1 : 0)..<length))
                for end in example.asked {
                    #expect(example.classes[end] == Int32(example.text.prefix(end + 1).count { $0 == "1" } % 2))
                }
            }
        }
    }
}
