import RondoData
import RondoTrain

extension Trial {
    /// Trains a model on a task with the trial's seed, records the settings and shows progress.
    ///
    /// - Parameters:
    ///   - name: What is trained, for progress and settings.
    ///   - task: The task.
    ///   - training: How; its seed is replaced by the trial's.
    /// - Returns: The trainer at the end.
    /// - Throws: what training throws, or the request to stop.
    mutating func train(_ name: String, on task: any SequenceTask, _ training: TaskTraining) throws -> TaskTrainer {
        var training = training
        training.seed = seed
        try record(name, training)
        var trainer = try TaskTrainer(task, training)
        try trainer.run { step, loss in
            try progress("\(name): step \(step) of \(training.steps), loss \(Figure.text(loss))")
        }
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
        var training = training
        training.seed = seed
        try record(name, training)
        var trainer = try TaskTrainer(task, training)
        while trainer.step < training.steps {
            let loss = try trainer.takeStep()
            try progress("\(name): step \(trainer.step) of at most \(training.steps), loss \(Figure.text(loss))")
            guard trainer.step % 100 == 0 else { continue }
            if try trainer.score(length: length, count: 64).accuracy ?? 0 >= accuracy { break }
        }
        return trainer
    }
}
