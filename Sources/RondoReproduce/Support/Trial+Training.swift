import RondoData
import RondoTrain

extension Trial {
    /// Takes steps of training and shows progress.
    ///
    /// - Parameters:
    ///   - name: What is trained.
    ///   - limit: The most steps.
    ///   - step: Takes a step and gives its loss.
    ///   - isEnough: Asked every hundred steps, if there is something to reach.
    /// - Throws: what training throws, or the request to stop.
    func steps(
        _ name: String, upTo limit: Int, step: () throws -> Double, until isEnough: (() throws -> Bool)? = nil
    ) throws {
        let most = isEnough == nil ? "" : "at most "
        for count in 1..<limit + 1 {
            let loss = try step()
            try progress("\(name): step \(count) of \(most)\(limit), loss \(Figure.text(loss))")
            if count % 100 == 0, try isEnough?() == true { return }
        }
    }

    /// A trainer with the trial's seed, whose settings are recorded.
    private mutating func trainer(
        _ name: String, on task: any SequenceTask, _ training: TaskTraining
    ) throws -> TaskTrainer {
        var training = training
        training.seed = seed
        try record(name, training)
        return try TaskTrainer(task, training)
    }

    /// Trains a model on a task with the trial's seed, records the settings and shows progress.
    ///
    /// - Parameters:
    ///   - name: What is trained, for progress and settings.
    ///   - task: The task.
    ///   - training: How; its seed is replaced by the trial's.
    /// - Returns: The trainer at the end.
    /// - Throws: what training throws, or the request to stop.
    mutating func train(_ name: String, on task: any SequenceTask, _ training: TaskTraining) throws -> TaskTrainer {
        var trainer = try trainer(name, on: task, training)
        try steps(name, upTo: training.steps) { try trainer.takeStep() }
        return trainer
    }

    /// Trains a model on a task as ``train(_:on:_:)`` does, but no longer than until it is right at one length.
    ///
    /// - Parameters:
    ///   - name: What is trained, for progress and settings.
    ///   - task: The task.
    ///   - training: How, with the most steps; its seed is replaced by the trial's.
    ///   - length: Every hundred steps, the model is measured on 64 examples of this length.
    ///   - accuracy: Enough of it.
    /// - Returns: The trainer at the end.
    /// - Throws: what training throws, or the request to stop.
    mutating func train(
        _ name: String, on task: any SequenceTask, _ training: TaskTraining, untilLength length: Int,
        reaches accuracy: Double
    ) throws -> TaskTrainer {
        var trainer = try trainer(name, on: task, training)
        try steps(name, upTo: training.steps) {
            try trainer.takeStep()
        } until: {
            try trainer.score(length: length, count: 64).accuracy ?? 0 >= accuracy
        }
        return trainer
    }
}
