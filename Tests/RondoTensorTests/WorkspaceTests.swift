import RondoTensor
import Testing

/// Memory that is used again belongs to one result at a time.
@Suite struct WorkspaceTests {
    private func vector(_ first: Float, count: Int = 40) throws -> Tensor {
        try Tensor((0..<count).map { first + Float($0) })
    }

    private func block(_ tensor: Tensor) -> ObjectIdentifier { ObjectIdentifier(tensor.storage) }

    @Test func aResultThatIsGoneGivesItsMemoryToTheNext() throws {
        let (workspace, x) = (Workspace(), try vector(1))
        let first = try workspace.run { block(try x * 2) }
        let second = try workspace.run { block(try x * 3) }
        #expect(first == second)
    }

    @Test func aResultThatIsKeptStaysAsItIs() throws {
        let (workspace, x) = (Workspace(), try vector(1))
        let kept = try (0..<700).map { index in try workspace.run { try x * Double(index) } }
        #expect(Set(kept.map(block)).count == kept.count)
        for (index, tensor) in kept.enumerated() {
            #expect(try tensor.array(of: Float.self)[3] == Float(4 * index))
        }
    }

    @Test func aStateThatIsAResultEachTimeNeedsTwoBlocks() throws {
        let (workspace, x) = (Workspace(), try vector(1))
        var (state, blocks, expected) = (try vector(0), Set<ObjectIdentifier>(), Float(5))
        for _ in 0..<20 {
            state = try workspace.run { try state * 0.5 + x }
            blocks.insert(block(state))
            expected = expected * 0.5 + 6
        }
        #expect(blocks.count <= 3)
        #expect(try state.array(of: Float.self)[5] == expected)
    }

    @Test func whatChangesInPlaceHasOneOwner() throws {
        let (workspace, x) = (Workspace(), try vector(1))
        var (sum, taken) = (try vector(0), Tensor.empty)
        let own = block(sum)
        for step in 1...5 {
            try workspace.run {
                try sum.accumulate(x * 2)
                try taken.update(takingRows: Tensor([Int32(step % 2)]), of: x.reshaped([2, 20]))
                try taken.accumulate(taken)
            }
            #expect(block(sum) == own)
            #expect(try taken.array(of: Float.self)[0] == (step % 2 == 0 ? 2 : 42))
        }
        #expect(try sum.array(of: Float.self)[1] == 21)
    }

    @Test func aRowThatGrowsKeepsItsMemory() throws {
        let (workspace, more) = (Workspace(), try vector(1).reshaped([1, 1, 40]))
        var rows = try Tensor.zeros([1, 0, 40])
        var blocks = Set<ObjectIdentifier>()
        for _ in 0..<20 {
            try workspace.run { try rows.append(more * 2) }
            blocks.insert(block(rows))
        }
        #expect(blocks.count < 6)
        #expect(try rows.sum().scalar() == 20 * 2 * 820)
    }

    @Test func aWorkspaceWithinItselfIsNotUsed() throws {
        let (workspace, x) = (Workspace(), try vector(1))
        let (inner, outer) = try workspace.run {
            let outer = try x * 2
            return (try workspace.run { try x * 3 }, outer)
        }
        #expect(block(inner) != block(outer))
        #expect(try inner.array(of: Float.self)[0] == 3 && outer.array(of: Float.self)[0] == 2)
    }

    @Test func largeBlocksAreNotKept() throws {
        let workspace = Workspace()
        let x = try Tensor.zeros([300_000])
        var first = try workspace.run { try x + 1 }
        try first.mutateInPlace { $0.storeBytes(of: 7, as: Float.self) }
        let second = try workspace.run { try x + 2 }
        #expect(try first.array(of: Float.self)[0] == 7 && second.array(of: Float.self)[0] == 2)
    }
}
