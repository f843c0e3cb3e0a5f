import RondoIO
import RondoMixers
import RondoNN
import RondoTensor

extension Subject {
    /// Advancing one copy leaves the other alone, bit for bit, also through steps that work in place.
    func fork(_ findings: inout Findings) throws {
        let kept = begun
        let saved = try begun.named.tensors.map { try $0.copied() }
        var moving = begun
        _ = try mixer.chunk(x, state: &moving)
        var stepper = try mixer.makeStepper(batch: Self.batch)
        // From the shared leaves themselves, and from leaves that a chunk made.
        var stepping = begun
        for time in 0..<4 { _ = try stepper(x.selecting(1, time), state: &stepping) }
        for time in 0..<4 { _ = try stepper(x.selecting(1, time), state: &moving) }
        for (name, (a, b)) in zip(kept.names, zip(kept.named.tensors, saved)) {
            try findings.compareBits(a, b, "the copy left behind, state '\(name)'")
        }
        var branch = moving
        let (first, second) = (try stepper(x.selecting(1, 0), state: &moving).copied(), stepper)
        var other = second
        try findings.compareBits(other(x.selecting(1, 0), state: &branch), first, "both branches read the same")
        try findings.compareBits(branch, moving, "both branches read the same")
    }

    /// Through a file, and against files that do not belong.
    func roundTrip(_ findings: inout Findings, in folder: String) throws {
        let path = FileSystem.join(folder, "state.safetensors")
        try mixer.save(begun, to: path)
        let restored = try mixer.restoreState(from: path, batch: Self.batch)
        try findings.compareBits(restored, begun, "restored")
        try findings.compareBits(chunk(x, from: restored).0, chunk(x, from: begun).0, "continued")
        var foreign = try mixer.stateFile(positions: begun.positions)
        let changes: [(String, WritableKeyPath<StateFile, String>)] = [
            ("another architecture", \.architecture), ("another configuration", \.configurationDigest),
            ("another model", \.modelFingerprint),
        ]
        for (name, key) in changes {
            let original = foreign[keyPath: key]
            foreign[keyPath: key] = "none"
            try foreign.write(begun.named, to: path)
            findings.require((try? mixer.restoreState(from: path, batch: Self.batch)) == nil, "\(name) was accepted")
            foreign[keyPath: key] = original
        }
        try mixer.save(begun, to: path)
        var bytes = try FileSystem.readBytes(path)
        bytes[bytes.count - 3] ^= 4
        try AtomicFile.write(bytes, to: path)
        if !begun.names.isEmpty {
            findings.require(
                (try? mixer.restoreState(from: path, batch: Self.batch)) == nil, "a damaged file was accepted")
        }
    }

    /// State bytes as declared; steps that allocate nothing.
    func memory(_ findings: inout Findings) throws {
        let (_, after) = try chunk(x, from: begun)
        switch Mixer.card.stateGrowth {
        case .constant:
            findings.require(
                after.byteCount == begun.byteCount,
                "the state takes \(begun.byteCount) bytes, and \(after.byteCount) after \(x.shape[1]) positions")
        case .linear:
            let begin = try mixer.initialState(batch: Self.batch).byteCount
            let each = (begun.byteCount - begin) / 5
            findings.require(
                after.byteCount == begin + each * (5 + x.shape[1]),
                "the state does not grow by \(each) bytes a position")
        }
        guard Mixer.card.stateGrowth == .constant else { return }
        var stepper = try mixer.makeStepper(batch: Self.batch)
        var state = begun
        let position = try x.selecting(1, 0).contiguous()
        let workspace = Workspace()
        func run(_ count: Int) throws {
            for _ in 0..<count { _ = try workspace.run { try stepper(position, state: &state) } }
        }
        try run(8)
        let before = Runtime.hostAllocator.statistics
        try run(32)
        let now = Runtime.hostAllocator.statistics
        findings.require(
            now.allocations == before.allocations,
            "32 steps in a workspace allocated \(now.allocations - before.allocations) blocks")
        findings.require(now.liveBytes == before.liveBytes, "steps keep \(now.liveBytes - before.liveBytes) bytes")
    }
}
