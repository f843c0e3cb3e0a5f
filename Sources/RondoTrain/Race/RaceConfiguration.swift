public import RondoIO
public import RondoModels
import RondoNN
import RondoTensor

/// One of the mixers in a race.
public struct RaceContestant: Codable, Sendable, Equatable {
    /// What it is called in reports and folders.
    public var name: String
    /// The mixer.
    public var mixer: String
    /// Options of the mixer that differ from its defaults.
    public var options: JSONValue?

    /// Creates a contestant.
    public init(_ mixer: String, options: JSONValue? = nil, name: String? = nil) {
        self.name = name ?? mixer
        self.mixer = mixer
        self.options = options
    }

    /// Reads contestants with commas between them, each `mixer` or `mixer:{options}`; equal names get numbers.
    ///
    /// - Parameter text: The list.
    /// - Returns: The contestants.
    /// - Throws: `RondoError` that shows what is no contestant.
    public static func list(_ text: String) throws -> [RaceContestant] {
        var contestants: [RaceContestant] = []
        for part in split(text) {
            let pieces = part.split(separator: ":", maxSplits: 1)
            let mixer = pieces.first.map { $0.filter { $0 != " " } } ?? ""
            guard !mixer.isEmpty else {
                throw RondoError(
                    .invalidArgument, "'\(text)': names of mixers with commas between them, as lstm,gla:{\"heads\":2}")
            }
            let options = try pieces.count > 1 ? JSONValue(parsing: Array(pieces[1].utf8), source: "\(mixer)") : nil
            let twins = contestants.count { $0.mixer == mixer }
            contestants.append(
                RaceContestant(mixer, options: options, name: twins == 0 ? mixer : "\(mixer)-\(twins + 1)"))
        }
        return contestants
    }

    /// Cuts at commas outside of braces, brackets and quotes.
    private static func split(_ text: String) -> [String] {
        var (parts, depth, isQuoted, isEscaped) = ([""], 0, false, false)
        for character in text {
            if character == ",", depth == 0, !isQuoted {
                parts.append("")
                continue
            }
            parts[parts.count - 1].append(character)
            if isQuoted {
                if character == "\"", !isEscaped { isQuoted = false }
                isEscaped = character == "\\" && !isEscaped
            } else {
                if character == "\"" { isQuoted = true }
                if "{[".contains(character) { depth += 1 }
                if "}]".contains(character) { depth -= 1 }
            }
        }
        return parts
    }
}

/// Everything that determines a race but the speed of the machine.
public struct RaceConfiguration: Codable, Sendable, Equatable {
    /// What is the same for all contestants.
    public enum Matching: String, Codable, Sendable, CaseIterable {
        /// The number of parameters, as near to the first one's as widths allow.
        case parameters
        /// The width of the model.
        case width
    }

    /// Whose seconds are counted.
    public enum Clock: String, Codable, Sendable, CaseIterable {
        /// Those on the wall.
        case wall
        /// Those that the processors worked for this process: other programs disturb them less.
        case processor
    }

    /// The contestants.
    public var contestants: [RaceContestant]
    /// The text, the shape of the models apart from their mixer, and how they are trained; its length plays no part.
    public var training = TrainingConfiguration()
    /// The largest budget of one training, if it is time.
    public var minutes: Double?
    /// The largest budget of one training, if it is floating-point operations; see ``MultiplyAdds``.
    public var flops: Double?
    /// How many budgets there are, each half of the next.
    public var classes = 3
    /// How many trainings of each budget, with seeds from that of ``training`` on.
    public var seeds = 1
    /// What is the same for all contestants.
    public var matching = Matching.parameters
    /// Whose seconds are counted.
    public var clock = Clock.wall
    /// Steps before the speed is measured.
    public var warmupSteps = 3
    /// Steps over which the speed is the median.
    public var timedSteps = 9

    /// Creates a race that has no budget yet.
    public init(_ contestants: [RaceContestant] = []) { self.contestants = contestants }

    /// What a budget is an amount of.
    public var unit: String { flops == nil ? "seconds" : "FLOPs" }

    /// The budgets from the smallest, in seconds or operations.
    public var budgets: [Double] {
        let largest = flops ?? (minutes ?? 0) * 60
        return (0..<classes).map { largest / Double(1 << (classes - 1 - $0)) }
    }

    /// Refuses what cannot be run, before any work is done.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` that names the key and its range.
    public func validate() throws {
        try requireValue(contestants.count >= 1, "contestants", contestants.count, "at least 1")
        let names = Set(contestants.map(\.name))
        try requireValue(names.count == contestants.count, "contestants", "(names)", "all different")
        try requireValue(
            names.allSatisfy { !$0.isEmpty && !$0.contains("/") && !$0.hasPrefix(".") }, "contestants", "(names)",
            "names of folders: without / and not beginning with a dot")
        try requireValue(
            (minutes == nil) != (flops == nil), "minutes, flops", minutes == nil ? "(none)" : "(both)",
            "exactly one of the two")
        if let minutes { try requireValue(minutes > 0 && minutes <= 1e6, "minutes", minutes, "above 0, at most 1e6") }
        if let flops { try requireValue(flops >= 1 && flops <= 1e18, "flops", flops, "from 1 to 1e18") }
        try requireValue((1...20).contains(classes), "classes", classes, "from 1 to 20")
        try requireValue((1...1000).contains(seeds), "seeds", seeds, "from 1 to 1000")
        try requireValue((0...1000).contains(warmupSteps), "warmup_steps", warmupSteps, "from 0 to 1000")
        try requireValue((1...1000).contains(timedSteps), "timed_steps", timedSteps, "from 1 to 1000")
        try requireValue(
            training.data.validationFraction > 0, "training.data.validation_fraction",
            training.data.validationFraction, "above 0: what is compared is measured on that part")
        try requireValue(
            training.initialModel == nil && !training.adapters.isUsed && training.model.layers == nil,
            "training", "(with a model to go on from, adapters or a list of layers)",
            "a plain shape: every contestant begins anew, with its own mixer in all layers")
    }

    /// The models of the contestants: equal in shape, and in width or number of parameters.
    ///
    /// - Throws: `RondoError` that names the contestant whose model cannot be built.
    public func models() throws -> [LanguageModelConfiguration] {
        var target: Int?
        return try contestants.map { contestant in
            var model = training.model
            (model.mixer, model.mixerOptions) = (contestant.mixer, contestant.options)
            do {
                if let target, matching == .parameters {
                    model = try ParameterMatching.matched(model, to: target)
                }
                try model.validate()
                if target == nil { target = try ParameterMatching.parameterCount(model) }
            } catch let error as RondoError {
                throw RondoError(error.code, "contestant '\(contestant.name)': \(error.message)")
            }
            return model
        }
    }
}

/// Chooses widths so that models of different mixers have equally many parameters.
enum ParameterMatching {
    /// Widths are multiples of this.
    static let granularity = 4

    /// Counts without filling any memory.
    static func parameterCount(_ model: LanguageModelConfiguration) throws -> Int {
        var generator = Generator.outline
        return try LanguageModel(model, using: &generator).parameterCount
    }

    /// The model with the width at which its number of parameters is nearest to a target.
    static func matched(_ model: LanguageModelConfiguration, to target: Int) throws -> LanguageModelConfiguration {
        func at(_ width: Int) -> LanguageModelConfiguration {
            var copy = model
            copy.dModel = width
            return copy
        }
        try model.validate()
        let widths = stride(from: granularity, through: 8 * max(model.dModel, granularity), by: granularity)
            .filter { (try? at($0).validate()) != nil }
        // More parameters at larger widths: the first that has enough, or the one before it.
        var (low, high) = (0, widths.count)
        while low < high {
            let middle = (low + high) / 2
            if try parameterCount(at(widths[middle])) < target { low = middle + 1 } else { high = middle }
        }
        let candidates = widths[max(0, low - 1)..<min(widths.count, low + 1)]
        let best = try candidates.map { ($0, abs(try parameterCount(at($0)) - target)) }.min { $0.1 < $1.1 }
        return at(best?.0 ?? model.dModel)
    }
}
