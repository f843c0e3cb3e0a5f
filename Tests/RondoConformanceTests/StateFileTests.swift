import RondoIO
import RondoMixers
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct StateFileTests {
    private let folder: TemporaryFolder
    private let path: String
    private let owner = StateFile(
        architecture: "tiny", configurationDigest: "c", modelFingerprint: "m", dtype: .float32, positions: [3, 1])

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("state.safetensors")
    }

    private func empty(batch: Int = 2) throws -> MixerState {
        MixerState(
            batch: batch, ["h": try Tensor.zeros([batch, 2])], growing: ["keys": try Tensor.zeros([batch, 0, 1])])
    }

    /// Two rows that have read three positions and one.
    private func begun() throws -> MixerState {
        var state = try empty()
        state["h"] = try Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
        state["keys"] = try Tensor([5, 6, 7, 8, 0, 0] as [Float], shape: [2, 3, 1])
        state.positions = [3, 1]
        return state
    }

    @Test func statesComeBack() throws {
        try owner.write(begun().named, to: path)
        let restored = try owner.read(path, like: empty())
        #expect(restored.positions == [3, 1] && restored.names == ["h", "keys"])
        for (found, saved) in zip(restored.named.tensors, try begun().named.tensors) {
            #expect(try found.shape == saved.shape && found.array(of: Float.self) == saved.array(of: Float.self))
        }
    }

    @Test func theStateOfAnotherModelIsRefused() throws {
        try owner.write(begun().named, to: path)
        var others = Array(repeating: owner, count: 5)
        others[0].architecture = "other"
        others[1].configurationDigest = "other"
        others[2].modelFingerprint = "other"
        others[3].dtype = .float64
        others[4].version = 2
        for (other, hint) in zip(others, ["architecture", "configuration", "model", "dtype", "version"]) {
            let error = try rondoError { _ = try other.read(path, like: empty()) }
            #expect(error.code == .conflict && error.message.contains(hint), "\(error)")
        }
    }

    @Test func otherRowsShapesAndNamesAreRefused() throws {
        try owner.write(begun().named, to: path)
        #expect(try rondoError { _ = try owner.read(path, like: empty(batch: 3)) }.code == .conflict)
        let narrow = MixerState(
            batch: 2, ["h": try Tensor.zeros([2, 1])], growing: ["keys": try Tensor.zeros([2, 0, 1])])
        #expect(try rondoError { _ = try owner.read(path, like: narrow) }.code == .corruptFile)
        let renamed = MixerState(batch: 2, ["g": try Tensor.zeros([2, 2])])
        let error = try rondoError { _ = try owner.read(path, like: renamed) }
        #expect(error.message.contains("missing 'g'") && error.message.contains("unknown 'h'"), "\(error)")
    }

    @Test func growingLeavesMustFitThePositions() throws {
        var wrong = owner
        wrong.positions = [4, 1]
        try wrong.write(begun().named, to: path)
        #expect(try rondoError { _ = try owner.read(path, like: empty()) }.code == .corruptFile)
        wrong.positions = [3, -1]
        try wrong.write(begun().named, to: path)
        #expect(try rondoError { _ = try owner.read(path, like: empty()) }.code == .corruptFile)
    }

    @Test func damagedAndForeignFilesAreRefused() throws {
        #expect(try rondoError { _ = try owner.read(path, like: empty()) }.code == .notFound)
        try TensorFile.write(begun().named, to: path)
        let foreign = try rondoError { _ = try owner.read(path, like: empty()) }
        #expect(foreign.code == .corruptFile && foreign.message.contains("no saved state"))
        try owner.write(begun().named, to: path)
        let bytes = try FileSystem.readBytes(path)
        for place in [0, 9, bytes.count / 2, bytes.count - 1] {
            var damaged = bytes
            damaged[place] ^= 1
            try AtomicFile.write(damaged, to: path)
            #expect(try rondoError { _ = try owner.read(path, like: empty()) }.code == .corruptFile, "byte \(place)")
        }
    }

    @Test func mixersTellTheirStatesApart() throws {
        var (first, second) = (Generator(seed: 1), Generator(seed: 2))
        let mixer = try TinyRecurrence(.init(), dModel: 3, dtype: .float32, using: &first)
        let other = try TinyRecurrence(.init(), dModel: 3, dtype: .float32, using: &second)
        var state = try mixer.initialState(batch: 2)
        _ = try mixer.chunk(first.normal([2, 4, 3]), state: &state)
        try mixer.save(state, to: path)
        #expect(try mixer.restoreState(from: path, batch: 2).positions == [4, 4])
        let error = try rondoError { _ = try other.restoreState(from: path, batch: 2) }
        #expect(error.code == .conflict && error.message.contains("continue with the model that saved it"))
    }
}
