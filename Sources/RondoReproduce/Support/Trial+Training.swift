import RondoData
import RondoTensor
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

extension Tensor {
    /// The largest absolute difference of two tensors of one shape; NaN if there is one.
    func largestDifference(from other: Tensor) throws -> Double {
        guard count > 0 else { return 0 }
        return try (cast(to: .float64) - other.cast(to: .float64)).abs().max().scalar()
    }

    /// The largest absolute difference as a share of the other's largest absolute value.
    func relativeDifference(from other: Tensor) throws -> Double {
        guard count > 0 else { return 0 }
        return try largestDifference(from: other) / Swift.max(other.cast(to: .float64).abs().max().scalar(), 1e-300)
    }
}
