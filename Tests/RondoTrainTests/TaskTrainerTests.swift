import RondoData
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain
import Testing

@Suite struct TaskTrainerTests {
    @Test(arguments: TaskRegistry.all.map { $0.name }) func everyTaskCanBeTrainedOn(name: String) throws {
        let task = try TaskRegistry.make(name)
        var training = TaskTraining(model: LanguageModelConfiguration(mixer: "gru", dModel: 8, nLayers: 1))
        (training.batchSize, training.steps) = (2, 1)
        (training.minLength, training.maxLength) = (task.trainingLengths.lowerBound, task.trainingLengths.lowerBound)
        var trainer = try TaskTrainer(task, training)
        let before = try trainer.score(length: task.trainingLengths.lowerBound, count: 2)
        let loss = try trainer.takeStep()
        let after = try trainer.score(length: task.trainingLengths.lowerBound, count: 2)
        #expect(loss.isFinite && loss > 0 && trainer.step == 1)
        #expect(before.asked > 0 && before.asked == after.asked)
        switch task.output {
        case .classes: #expect(after.accuracy != nil && after.meanSquaredError == nil)
        case .values: #expect(after.accuracy == nil && after.meanSquaredError != before.meanSquaredError)
        }
    }
}
