public import RondoIO
import RondoTensor

/// The tasks that commands can name.
public enum TaskRegistry {
    /// All tasks: one line each.
    public static let all: [any SequenceTask.Type] = [
        ParityTask.self,
        ModularArithmeticTask.self,
        BracketedArithmeticTask.self,
        GroupWordTask.self,
        CyclicNavigationTask.self,
        DyckTask.self,
        RegularLanguageTask.self,
        ContextFreeLanguageTask.self,
        NParityTask.self,
        DelayedMatchTask.self,
        AddingTask.self,
        CopyingTask.self,
        SelectiveCopyingTask.self,
        InductionHeadsTask.self,
        AssociativeRecallTask.self,
        LatestRecallTask.self,
        LatchingTask.self,
        PasskeyTask.self,
        ReberTask.self,
        DelayMemoryTask.self,
        ArrowPointingTask.self,
        ToneTask.self,
        DelayedSignalTask.self,
        StrokeDigitsTask.self,
        InContextLanguageTask.self,
        SelectivityTask.self,
    ]

    /// The task of a name.
    ///
    /// - Throws: `RondoError` of code `notFound` that suggests the closest name.
    public static func task(named name: String) throws -> any SequenceTask.Type {
        if let match = all.first(where: { $0.name == name }) { return match }
        let advice = Suggestion.advice(for: name, known: all.map { $0.name }, noun: "tasks")
        throw RondoError(.notFound, "there is no task '\(name)'\(advice)")
    }

    /// A task with options over its defaults.
    ///
    /// - Throws: `RondoError` for an unknown name, an unknown key or an impossible value.
    public static func make(_ name: String, options: JSONValue? = nil) throws -> any SequenceTask {
        try task(named: name).init(options: options)
    }
}
