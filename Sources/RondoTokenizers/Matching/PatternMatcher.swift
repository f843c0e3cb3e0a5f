/// Finds matches of a pattern in UTF-8 bytes by backtracking, in the order of preference of Perl and Oniguruma.
///
/// A match that needs many steps remembers which alternatives have failed where, so that no pattern takes exponential
/// time.
struct PatternMatcher: Sendable {
    private static let stepsBeforeMemory = 2000

    private let program: PatternProgram

    /// Compiles a pattern.
    ///
    /// - Throws: `RondoError` if the pattern is not supported.
    init(_ pattern: String) throws { program = try PatternProgram(pattern) }

    /// The first match in `begin..<end` that starts at `start` or later.
    func firstMatch(
        _ bytes: UnsafePointer<UInt8>, begin: Int, from start: Int, end: Int
    ) -> Range<Int>? {
        program.instructions.withUnsafeBufferPointer { instructions in
            var run = Run(instructions: instructions, sets: program.sets, bytes: bytes, begin: begin, end: end)
            var position = start
            while true {
                if let stop = run.match(pc: 0, at: position) { return position..<stop }
                guard position < end else { return nil }
                position += UTF8Text.scalar(bytes, at: position, end: end).length
            }
        }
    }

    /// Where the match goes on if what was tried fails.
    private struct Choice {
        var pc: Int
        var position: Int
        /// For a run: how far it may still go back or forward; otherwise -1.
        var limit: Int
    }

    private struct Run {
        let instructions: UnsafeBufferPointer<PatternProgram.Instruction>
        let sets: [ScalarSet]
        let bytes: UnsafePointer<UInt8>
        let begin: Int
        let end: Int
        private var choices: [Choice] = []

        init(
            instructions: UnsafeBufferPointer<PatternProgram.Instruction>, sets: [ScalarSet],
            bytes: UnsafePointer<UInt8>, begin: Int, end: Int
        ) {
            self.instructions = instructions
            self.sets = sets
            self.bytes = bytes
            self.begin = begin
            self.end = end
        }

        /// Runs the program from `pc` to its `accept`; returns where the match ends.
        mutating func match(pc start: Int, at origin: Int) -> Int? {
            let base = choices.count
            defer { choices.removeLast(choices.count - base) }
            var failed: Set<UInt64> = []
            var steps = 0
            var pc = start
            var position = origin
            while true {
                if let next = step(&pc, position) {
                    position = next
                    if pc < 0 { return position }
                    continue
                }
                // Failure: take the last choice that has not been found hopeless.
                while true {
                    guard choices.count > base else { return nil }
                    steps += 1
                    let isHopeless = !resume(&pc, &position)
                    if isHopeless { continue }
                    if steps > PatternMatcher.stepsBeforeMemory {
                        guard failed.insert(UInt64(pc) << 44 | UInt64(position)).inserted else { continue }
                    }
                    break
                }
            }
        }

        /// Takes up the last choice.
        private mutating func resume(_ pc: inout Int, _ position: inout Int) -> Bool {
            var choice = choices.removeLast()
            guard choice.limit >= 0, case .run(let set, _, _, let greed) = instructions[choice.pc] else {
                (pc, position) = (choice.pc, choice.position)
                return true
            }
            if greed == .lazy {
                guard choice.limit > 0, choice.position < end else { return false }
                let (scalar, length) = UTF8Text.scalar(bytes, at: choice.position, end: end)
                guard sets[set].contains(scalar) else { return false }
                choice.position += length
                choice.limit -= 1
            } else {
                choice.position = UTF8Text.start(bytes, before: choice.position, begin: begin)
            }
            (pc, position) = (choice.pc + 1, choice.position)
            // The limit of a greedy run is the position that it must not fall below.
            if greed == .lazy || choice.position > choice.limit { choices.append(choice) }
            return true
        }

        /// Executes one instruction; returns the new position, or `nil` if it fails.
        ///
        /// At the end of the program `pc` becomes -1.
        @inline(__always)
        private mutating func step(_ pc: inout Int, _ position: Int) -> Int? {
            switch instructions[pc] {
            case .accept:
                pc = -1
                return position
            case .set(let set):
                guard position < end else { return nil }
                let (scalar, length) = UTF8Text.scalar(bytes, at: position, end: end)
                guard sets[set].contains(scalar) else { return nil }
                pc += 1
                return position + length
            case .run(let set, let minimum, let maximum, let greed):
                return run(&pc, position, sets[set], minimum, maximum, greed)
            case .fork(let first, let second):
                choices.append(Choice(pc: second, position: position, limit: -1))
                pc = first
                return position
            case .jump(let target):
                pc = target
                return position
            case .place(let place):
                guard isAt(place, position) else { return nil }
                pc += 1
                return position
            case .look(let target, let behind, let isNegative):
                guard look(pc + 1, position, behind) != isNegative else { return nil }
                pc = target
                return position
            case .atomic(let target):
                guard let stop = match(pc: pc + 1, at: position) else { return nil }
                pc = target
                return stop
            }
        }

        private mutating func run(
            _ pc: inout Int, _ start: Int, _ set: ScalarSet, _ minimum: Int, _ maximum: Int, _ greed: PatternNode.Greed
        ) -> Int? {
            var position = start
            var least = start
            var count = 0
            let wanted = greed == .lazy ? minimum : maximum
            while count < wanted, position < end {
                let (scalar, length) = UTF8Text.scalar(bytes, at: position, end: end)
                guard set.contains(scalar) else { break }
                position += length
                count += 1
                if count == minimum { least = position }
            }
            guard count >= minimum else { return nil }
            if greed == .lazy {
                choices.append(Choice(pc: pc, position: position, limit: maximum - minimum))
            } else if greed == .greedy, position > least {
                choices.append(Choice(pc: pc, position: position, limit: least))
            }
            pc += 1
            return position
        }

        private mutating func look(_ pc: Int, _ position: Int, _ behind: Int?) -> Bool {
            var start = position
            for _ in 0..<(behind ?? 0) {
                guard start > begin else { return false }
                start = UTF8Text.start(bytes, before: start, begin: begin)
            }
            return match(pc: pc, at: start) != nil
        }

        private func isAt(_ place: PatternNode.Place, _ position: Int) -> Bool {
            let newline = UInt8(ascii: "\n")
            let isAfterNewline = position > begin && bytes[position - 1] == newline
            switch place {
            case .lineStart: return position == begin || (isAfterNewline && position < end)
            case .lineEnd: return position == end || bytes[position] == newline
            case .textStart: return position == begin
            case .textEnd: return position == end
            case .textEndOrFinalNewline:
                return position == end || (position == end - 1 && bytes[position] == newline)
            case .wordBoundary: return isWord(before: position) != isWord(at: position)
            case .noWordBoundary: return isWord(before: position) == isWord(at: position)
            }
        }

        private func isWord(at position: Int) -> Bool {
            position < end && ScalarSet.isOnigurumaWord(UTF8Text.scalar(bytes, at: position, end: end).value)
        }

        private func isWord(before position: Int) -> Bool {
            position > begin && isWord(at: UTF8Text.start(bytes, before: position, begin: begin))
        }
    }
}
