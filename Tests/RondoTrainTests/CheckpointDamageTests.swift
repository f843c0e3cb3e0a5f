import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

@Suite struct CheckpointDamageTests {
    private func checkpoint() throws -> FolderStore {
        let store = try FolderStore()
        var trainer = try Trainer(
            TinyRun.configuration {
                TinyRun.everything(&$0)
                $0.steps = 2
            }, corpus: TinyRun.corpus)
        _ = try trainer.run(store: store, observer: Recorder())
        return store
    }

    @Test func everyDamageIsRefused() throws {
        let store = try checkpoint()
        let folder = store.path(2)
        let names = try FileSystem.list(folder)
        #expect(
            names.sorted() == [
                "config.json", "ema.safetensors", "model.safetensors", "optimizer.safetensors", "state.safetensors",
                "training_state.json",
            ])
        for name in names {
            let path = FileSystem.join(folder, name)
            let original = try FileSystem.readBytes(path)
            try FileDamage(path).forEach(places: 60) { damage in
                let error = try? rondoError { _ = try Trainer(resuming: folder, corpus: TinyRun.corpus) }
                // Only a configuration that still says the same, without its last newline, may pass.
                let isHarmless = try name == ModelFolder.configuration && Self.sameJSON(path, original)
                #expect(error != nil || isHarmless, "\(name) \(damage) was accepted")
            }
            try FileSystem.remove(path)
            let error = try? rondoError { _ = try Trainer(resuming: folder, corpus: TinyRun.corpus) }
            #expect(error?.message.contains(name) == true, "\(name) is missing: \(error?.message ?? "accepted")")
            try AtomicFile.write(original, to: path)
        }
        _ = try Trainer(resuming: folder, corpus: TinyRun.corpus)
    }

    private static func sameJSON(_ path: String, _ original: [UInt8]) throws -> Bool {
        let tree = try? JSONValue(contentsOf: path)
        return try tree == JSONValue(parsing: original, source: path)
    }

    private static func copy(_ source: String, to target: String) throws {
        for name in try FileSystem.list(source) {
            try AtomicFile.write(
                FileSystem.readBytes(FileSystem.join(source, name)), to: FileSystem.join(target, name))
        }
    }

    @Test func filesOfDifferentCheckpointsDoNotMix() throws {
        let (one, other) = (try checkpoint(), try FolderStore())
        var trainer = try Trainer(
            TinyRun.configuration {
                $0.model.dModel = 9
                $0.steps = 3
            }, corpus: TinyRun.corpus)
        _ = try trainer.run(store: other, observer: Recorder())
        for name in [ModelFolder.weights, ModelFolder.configuration, "state.safetensors", "optimizer.safetensors"] {
            let mixed = try TemporaryFolder()
            try Self.copy(one.path(2), to: mixed.path)
            try AtomicFile.write(FileSystem.readBytes(FileSystem.join(other.path(3), name)), to: mixed.file(name))
            let error = try? rondoError { _ = try Trainer(resuming: mixed.path, corpus: TinyRun.corpus) }
            #expect(error != nil, "\(name) of another run was accepted")
        }
    }
}
