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
}
