import RondoMixers
import RondoNN
import RondoTensor

extension Subject {
    /// States that bfloat16 could not hold, and small pieces against float64.
    func precision(_ findings: inout Findings) throws {
        for (name, leaf) in zip(begun.names, begun.named.tensors) {
            findings.require(
                leaf.dtype == .float32 || leaf.dtype == .float64, "state '\(name)' is kept in \(leaf.dtype.rawValue)")
            let values = try leaf.cast(to: .float32).array(of: Float.self)
            let distinct = Set(values)
            let rounded = try leaf.cast(to: .bfloat16).cast(to: .float32).array(of: Float.self)
            findings.require(
                distinct.count < 8 || values != rounded, "state '\(name)' holds no more digits than bfloat16")
        }
        guard dtype == .float32 else { return }
        try drift(&findings)
    }

    /// Many small pieces in float32 against one in float64.
    private func drift(_ findings: inout Findings) throws {
        let time = Mixer.card.stateGrowth == .constant ? 4096 : 512
        var generator = Generator(seed: 3)
        let long = try generator.normal([1, time, x.shape[2]], dtype: .float32)
        var state = try mixer.initialState(batch: 1)
        var outputs: [Tensor] = []
        for start in stride(from: 0, to: time, by: 13) {
            outputs.append(try mixer.chunk(long.sliced(1, start..<min(time, start + 13)), state: &state))
        }
        var unused = Generator(seed: 1)
        let wide = try Mixer(mixer.configuration, dModel: mixer.dModel, dtype: .float64, using: &unused)
            .replacingParameters(mixer.parameters.tensors.map { try $0.cast(to: .float64) })
        var wideState = try wide.initialState(batch: 1)
        let expected = try wide.chunk(long.cast(to: .float64), state: &wideState)
        let found = try Tensor.concatenate(outputs, axis: 1)
        try findings.compare(
            found, expected.cast(to: .float32), length: time * max(8, x.shape[2]), "\(time) positions in pieces of 13")
    }

    /// The last element of everything counts, and no tensor is hidden.
    func width(_ findings: inout Findings) throws {
        let (whole, final) = try chunk(x, from: begun)
        func changes(_ mixer: Mixer, _ x: Tensor, _ state: MixerState) throws -> Bool {
            var after = state
            let y = try mixer.chunk(x, state: &after)
            if try !y.hasSameBits(as: whole) { return true }
            return try zip(after.named.tensors, final.named.tensors).contains { try !$0.hasSameBits(as: $1) }
        }
        func require(_ what: String, _ holds: (Double) throws -> Bool) throws {
            // Several amounts: a unit may be shut for one of them.
            let counts = try [0.37, -0.37, 3, -3].contains(where: holds)
            findings.require(counts, "the last element of \(what) does not count")
        }
        try require("the input") { try changes(mixer, x.movingLast(by: $0, rows: true), begun) }
        let parameters = mixer.parameters
        for (index, path) in parameters.paths.enumerated() {
            try require("'\(path)'") { amount in
                var moved = parameters.tensors
                moved[index] = try moved[index].movingLast(by: amount)
                return try changes(mixer.replacingParameters(moved), x, begun)
            }
        }
        let leaves = begun.named
        for (index, name) in leaves.paths.enumerated() where leaves.tensors[index].count > 0 {
            try require("state '\(name)'") { amount in
                var moved = leaves.tensors
                moved[index] = try moved[index].movingLast(by: amount, rows: true)
                return try changes(mixer, x, begun.replacingTensors(moved))
            }
        }
        let found = Self.tensors(in: mixer)
        findings.require(
            found == parameters.tensors.count,
            "the mixer holds \(found) tensors, but visits \(parameters.tensors.count) parameters; "
                + "visit the others, or declare constants with FixedTensor")
    }

    private static func tensors(in value: Any) -> Int {
        if value is Tensor { return 1 }
        if value is FixedTensor { return 0 }
        return Mirror(reflecting: value).children.reduce(0) { $0 + tensors(in: $1.value) }
    }

    /// Everything once for every number of threads.
    func threads(_ findings: inout Findings) throws {
        let before = Runtime.threadCount
        defer { Runtime.threadCount = before }
        var generator = Generator(seed: 12)
        let long = try generator.normal([2, 150, x.shape[2]], dtype: dtype)
        let begin = try mixer.initialState(batch: 2)
        func everything() throws -> [Tensor] {
            let operands = [long] + mixer.parameters.tensors
            let (values, pullback) = try valuesAndPullback(of: operands) { operands in
                var state = begin
                return [try mixer.replacingParameters(Array(operands.dropFirst())).chunk(operands[0], state: &state)]
                    + state.named.tensors
            }
            return try values + pullback(values)
        }
        Runtime.threadCount = 1
        let one = try everything()
        for count in [2, 3] {
            Runtime.threadCount = count
            for (index, (a, b)) in try zip(everything(), one).enumerated() {
                try findings.compareBits(a, b, "result \(index) with \(count) threads")
            }
        }
    }

    /// Long, and large.
    func extremes(_ findings: inout Findings) throws {
        let time = Mixer.card.stateGrowth == .constant ? 100_000 : 3_000
        var generator = Generator(seed: 8)
        let long = try generator.normal([1, time, x.shape[2]], dtype: dtype)
        let (whole, final) = try chunk(long, from: mixer.initialState(batch: 1))
        try findings.require(whole.isFinite(), "\(time) positions: outputs are not finite")
        for (name, leaf) in zip(final.names, final.named.tensors) {
            try findings.require(leaf.isFinite(), "\(time) positions: state '\(name)' is not finite")
        }
        let cut = time / 3 + 1
        let (_, middle) = try chunk(long.sliced(1, 0..<cut), from: mixer.initialState(batch: 1))
        let (second, _) = try chunk(long.sliced(1, cut..<time), from: middle)
        let tail = try whole.sliced(1, cut..<time)
        try findings.compare(second, tail, length: time, "\(time) positions, cut at \(cut)")
        for scale in [1e-6, 30, 1e3] {
            let (outputs, after) = try chunk(x * scale, from: mixer.initialState(batch: Self.batch))
            try findings.require(outputs.isFinite(), "inputs of size \(scale): outputs are not finite")
            for (name, leaf) in zip(after.names, after.named.tensors) {
                try findings.require(leaf.isFinite(), "inputs of size \(scale): state '\(name)' is not finite")
            }
        }
    }
}

extension Tensor {
    /// The same tensor with its last element, or the last one of each entry of the first axis, moved by an amount.
    fileprivate func movingLast(by amount: Double, rows: Bool = false) throws -> Tensor {
        guard count > 0 else { return self }
        let size = rows ? count / shape[0] : count
        var values = try cast(to: .float64).array(of: Double.self)
        for index in stride(from: size - 1, to: count, by: size) { values[index] += amount }
        return try Tensor(values, shape: shape).cast(to: dtype)
    }
}
