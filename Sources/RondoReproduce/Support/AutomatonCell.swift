import RondoTensor

/// A deterministic finite automaton; symbol 0 resets it to state 0.
struct PermutationAutomaton {
    /// The permutations of three things, state 0 the identity.
    static let permutations = [[0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1]]
    /// What symbols 1 and 2 do: exchange the first two, turn all.
    private static let generators = [[1, 0, 2], [1, 2, 0]]

    var states: Int { Self.permutations.count }
    var symbols: Int { 1 + Self.generators.count }

    /// The state after a symbol.
    func next(_ state: Int, _ symbol: Int) -> Int {
        guard symbol > 0 else { return 0 }
        let generator = Self.generators[symbol - 1]
        let product = generator.map { Self.permutations[state][$0] }
        return Self.permutations.firstIndex(of: product) ?? 0
    }
}

/// An automaton as one row of M²RNN's state with the gate shut: an Elman network whose units stand for pairs of a state
/// and the symbol that led there, +1 for the present pair and -1 for all others.
struct AutomatonCell {
    private let automaton: PermutationAutomaton
    /// Units, states times symbols.
    let width: Int
    private let weights: [Float]
    /// The input of each symbol.
    private let rows: [[Float]]
    private static let gain: Float = 10

    /// Writes the weights: a unit is driven by all units whose state leads to it, and silenced by other symbols.
    init(_ automaton: PermutationAutomaton) {
        self.automaton = automaton
        let (states, symbols) = (automaton.states, automaton.symbols)
        let width = states * symbols
        self.width = width
        let gain = Self.gain
        var weights = [Float](repeating: 0, count: width * width)
        var incoming = [Int](repeating: 0, count: width)
        // A beginning of a sequence forgets everything, so nothing leads to its units.
        for state in 0..<states {
            for last in 0..<symbols {
                for symbol in 1..<symbols {
                    let to = automaton.next(state, symbol) * symbols + symbol
                    weights[(state * symbols + last) * width + to] = gain / 2
                    incoming[to] += 1
                }
            }
        }
        self.weights = weights
        rows = (0..<symbols).map { symbol in
            (0..<width).map { unit in
                let own = unit % symbols
                guard symbol > 0 else { return unit == 0 ? gain : -3 * gain }
                if own == 0 { return -gain }
                return gain * ((own == symbol ? 1 : 0) - 1.5 + Float(incoming[unit]) / 2)
            }
        }
    }

    /// Runs random symbols after a beginning, and compares the state's units with the automaton.
    ///
    /// - Parameters:
    ///   - steps: How many symbols.
    ///   - isLinear: Leaves tanh out.
    ///   - throughSiLU: Makes keys and values as the layer does, by SiLU of something.
    ///   - generator: Draws the symbols.
    ///   - onProgress: Told the number of steps done.
    /// - Returns: Wrong steps, the smallest magnitude of a unit, and where the first error was.
    /// - Throws: What tensors or `onProgress` throw.
    func run(
        steps: Int, isLinear: Bool, throughSiLU: Bool = false, _ generator: inout Generator,
        onProgress: (Int) throws -> Void
    ) throws -> (errors: Int, smallest: Double, first: Int?) {
        // SiLU is at least -0.278: large keys let values be small.
        let key: Float = throughSiLU ? 200 : 1
        let inputs = try throughSiLU ? rows.map { try Self.inverseSiLU($0.map { $0 / key }) } : rows
        let keyInput = try throughSiLU ? Self.inverseSiLU([key])[0] : key
        let weight = try Tensor(weights, shape: [1, width, width])
        var memory = try Tensor.zeros([1, 1, 1, width])
        var (state, errors, smallest, done) = (0, 0, Float.infinity, 0)
        var first: Int?
        while done < steps {
            let count = min(8192, steps - done)
            let symbols = (0..<count).map { index in
                done + index == 0 ? 0 : Int.random(in: 1..<automaton.symbols, using: &generator)
            }
            var v = try Tensor(symbols.flatMap { inputs[$0] }, shape: [1, count, 1, width])
            var k = try Tensor.full([1, count, 1, 1], Double(keyInput))
            if throughSiLU { (k, v) = (try k.silu(), try v.silu()) }
            let gate = try Tensor.zeros([1, count, 1])
            let read = try Tensor.ones([1, count, 1, 1])
            let results = try MatrixStateCell(isLinear: isLinear)([read, k, v, gate, weight, memory])
            memory = results[1]
            let units = try results[0].array(of: Float.self)
            for (index, symbol) in symbols.enumerated() {
                state = automaton.next(state, symbol)
                let here = units[index * width..<(index + 1) * width]
                let present = state * automaton.symbols + symbol
                let isRight = here.enumerated().allSatisfy { ($0.element > 0) == ($0.offset == present) }
                smallest = here.reduce(smallest) { min($0, $1.magnitude) }
                guard !isRight else { continue }
                errors += 1
                first = first ?? done + index + 1
            }
            done += count
            try onProgress(done)
        }
        return (errors, Double(smallest), first)
    }

    /// The step of the first error without tanh; infinite if there is none in 1000.
    func failure(_ generator: inout Generator) throws -> Double {
        try run(steps: 1000, isLinear: true, &generator) { _ in }.first.map(Double.init) ?? .infinity
    }

    /// What SiLU maps to values above -0.278, on its rising branch, by bisection.
    private static func inverseSiLU(_ values: [Float]) throws -> [Float] {
        let wanted = try Tensor(values).cast(to: .float64)
        var low = try Tensor.full([values.count], -1.2784, dtype: .float64)
        var high = try wanted.abs() * 2 + 1
        for _ in 0..<60 {
            let middle = try (low + high) * 0.5
            let isLow = try middle.silu().less(than: wanted)
            (low, high) = (try Tensor.select(isLow, middle, low), try Tensor.select(isLow, high, middle))
        }
        return try low.cast(to: .float32).array()
    }
}
