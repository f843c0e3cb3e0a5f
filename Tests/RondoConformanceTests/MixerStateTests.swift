import RondoMixers
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct MixerStateTests {
    /// Rows 0, 1, … of leaf "h" hold their number; row n has read `positions[n]` positions, kept in "keys".
    private func state(_ positions: [Int], offset: Double = 0) throws -> MixerState {
        let batch = positions.count
        let h = try Tensor((0..<batch).map { Double($0) + offset }, shape: [batch, 1]).cast(to: .float32)
        var state = MixerState(batch: batch, ["h": h], growing: ["keys": try Tensor.zeros([batch, 0, 1])])
        let length = positions.max() ?? 0
        let keys = (0..<batch).flatMap { row -> [Float] in
            let own = (0..<positions[row]).map { Float(10 * row + $0 + 1) + Float(offset) }
            return own + Array(repeating: 0, count: length - own.count)
        }
        state["keys"] = try Tensor(keys, shape: [batch, length, 1])
        state.positions = positions
        return state
    }

    private func values(_ tensor: Tensor) throws -> [Float] { try tensor.array(of: Float.self) }

    @Test func leavesAreFoundByNameAndPlace() throws {
        var state = try state([2, 1])
        #expect(state.batch == 2 && state.names == ["h", "keys"])
        #expect(try values(state[0]) == values(state["h"]))
        state["h"] = try Tensor.ones([2, 1])
        #expect(try values(state[0]) == [1, 1])
        #expect(state.byteCount == 4 * (2 + 4))
        #expect(state.named.paths == ["h", "keys"])
    }

    @Test func copiesAreIndependent() throws {
        let first = try state([1, 1])
        var second = first
        second.advance(by: 3)
        second["h"] = try second["h"] + 1
        #expect(first.positions == [1, 1] && second.positions == [4, 4])
        #expect(try values(first["h"]) == [0, 1])
    }

    @Test func positionsAreSharedOrNot() throws {
        #expect(try state([3, 3]).sharedPosition() == 3)
        #expect(try MixerState(batch: 0, [:]).sharedPosition() == 0)
        let error = try rondoError { _ = try state([3, 4]).sharedPosition() }
        #expect(error.code == .invalidArgument && error.message.contains("SequenceBatch"))
    }

    @Test func rowsAreSelectedInAnyOrderAndNumber() throws {
        let selected = try state([2, 0, 3]).selectingRows([2, 0, 2])
        #expect(selected.positions == [3, 2, 3])
        #expect(try values(selected["h"]) == [2, 0, 2])
        #expect(try values(selected["keys"]) == [21, 22, 23, 1, 2, 0, 21, 22, 23])
        #expect(try state([1, 1]).selectingRows([]).batch == 0)
    }

    @Test func growingLeavesAreAsLongAsTheFurthestRow() throws {
        let selected = try state([2, 0, 3]).selectingRows([0, 1])
        #expect(selected["keys"].shape == [2, 2, 1])
        #expect(try values(selected["keys"]) == [1, 2, 0, 0])
        let beginning = try state([2, 0, 3]).selectingRows([1])
        #expect(beginning["keys"].shape == [1, 0, 1])
    }

    @Test func rowsAreReplacedByLongerAndShorterOnes() throws {
        var longer = try state([1, 1])
        try longer.replaceRows([1], with: state([3], offset: 50))
        #expect(longer.positions == [1, 3])
        #expect(try values(longer["h"]) == [0, 50])
        #expect(try values(longer["keys"]) == [1, 0, 0, 51, 52, 53])
        var shorter = try state([3, 1])
        try shorter.replaceRows([0], with: state([0]))
        #expect(shorter.positions == [0, 1])
        #expect(try values(shorter["keys"]) == [0, 11])
    }

    @Test func replacedRowsKeepTheirOrder() throws {
        var target = try state([1, 1, 1])
        try target.replaceRows([2, 0], with: state([1, 1], offset: 7))
        #expect(try values(target["h"]) == [8, 1, 7])
    }

    @Test func selectedRowsReturnUnchanged() throws {
        let original = try state([4, 2, 3])
        var copy = original
        try copy.replaceRows([0, 2], with: original.selectingRows([0, 2]))
        #expect(copy.positions == original.positions)
        #expect(try values(copy["keys"]) == values(original["keys"]))
    }

    @Test func tensorsOfAnotherShapeAreRefused() throws {
        let state = try state([2, 1])
        let (h, keys) = (state["h"], state["keys"])
        #expect(try state.replacingTensors([h, Tensor.zeros([2, 9, 1])])["keys"].shape == [2, 9, 1])
        let wrong: [[Tensor]] = [
            [h], [h, h], [try Tensor.zeros([2, 2]), keys], [h, try Tensor.zeros([3, 2, 1])],
            [try h.cast(to: .float64), keys], [h, try keys.cast(to: .float64)],
        ]
        for tensors in wrong {
            #expect(try rondoError { _ = try state.replacingTensors(tensors) }.code == .shapeMismatch)
        }
    }

    @Test func statesAreCastAndDetached() throws {
        let state = try state([2, 1])
        #expect(try state.cast(to: .float64)["h"].dtype == .float64)
        _ = try valueAndGradient(of: [state["h"]]) { inputs in
            var tracked = state
            tracked["h"] = inputs[0]
            #expect(tracked["h"].requiresGradient && !tracked.detached()["h"].requiresGradient)
            return try inputs[0].sum()
        }
    }
}
