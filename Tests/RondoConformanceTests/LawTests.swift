import RondoConformance
import RondoMixers
import RondoTensor
import RondoTestSupport
import Testing

/// The laws find exactly what is wrong with mixers, and nothing wrong with correct ones.
///
/// Each in a process of its own: laws change the number of threads, and memory is poisoned.
@Suite(.serialized) struct LawTests {
    @Test(arguments: PlantedFaults.all.map { $0.name })
    func everyFaultBreaksItsLaws(_ name: String) async {
        await #expect(processExitsWith: .success) { [name = name as String] in
            try checkFault(PlantedFaults.named(name))
        }
    }

    /// What one process began is gone on with in another, which is this test's own.
    @Test(arguments: PlantedFaults.all.map { $0.name })
    func anotherProcessGoesOn(_ name: String) async throws {
        let (folder, fault) = (try TemporaryFolder(), try PlantedFaults.named(name))
        let first = resultOfProcessLaw(fault, in: folder.path)
        guard first.failure == nil else {
            #expect(fault.breaks.contains(.process), "\(first)")
            return
        }
        await #expect(processExitsWith: .success) { [name = name as String, path = folder.path as String] in
            try checkContinuation(PlantedFaults.named(name), in: path)
        }
    }

    /// A law that no fault breaks would be a law that nobody tested.
    @Test func everyLawIsBrokenByAFault() {
        let broken = PlantedFaults.all.reduce(into: Set<Law>()) { $0.formUnion($1.breaks) }
        #expect(broken == Set(Law.allCases))
    }

    @Test(arguments: MixerRegistry.all.map { $0.architecture })
    func everyMixerKeepsAllLaws(_ name: String) async {
        await #expect(processExitsWith: .success) { [name = name as String] in
            try checkMixer(MixerRegistry.mixer(named: name))
        }
    }

    @Test func aLawThatCannotBeCheckedIsSkipped() throws {
        let folder = try TemporaryFolder()
        let results = Conformance(folder: folder.path, laws: [.process], dtypes: [.float32]).verify(TinyRecurrence.self)
        #expect(results.count == 1 && results[0].passed && results[0].skipped != nil)
    }

    @Test func examplesAndTypesAreCheckedEach() throws {
        let folder = try TemporaryFolder()
        let results = Conformance(folder: folder.path, laws: [.parallel, .extremes]).verify(TinyRecurrence.self)
        #expect(
            results.map(\.example) == [
                "plain, float32", "plain, float32", "plain, float64", "strong momentum, float32",
                "strong momentum, float32", "strong momentum, float64",
            ])
        #expect(results.allSatisfy { $0.mixer == "tiny_recurrence" && $0.passed && $0.error <= $0.tolerance })
    }
}

private func checkFault<Fault: PlantedFault>(_ fault: Fault.Type) throws {
    poisonFreshMemory()
    let folder = try TemporaryFolder()
    let results = Conformance(folder: folder.path).verify(Faulty<Fault>.self)
    let broken = results.filter { !$0.passed }
    #expect(Set(broken.map(\.law)).union([.process]) == fault.breaks.union([.process]), "\(summary(of: broken))")
}

private func checkMixer(_ type: any SequenceMixer.Type) throws {
    poisonFreshMemory()
    let folder = try TemporaryFolder()
    let broken = Conformance(folder: folder.path).verify(type).filter { !$0.passed }
    #expect(broken.isEmpty, "\(summary(of: broken))")
}

private func summary(of results: [LawResult]) -> String {
    results.map { "\($0.mixer), \($0.example): \($0.law.rawValue): \($0.failure ?? "kept")" }.joined(separator: "\n")
}

private func resultOfProcessLaw<Fault: PlantedFault>(_ fault: Fault.Type, in folder: String) -> LawResult {
    let conformance = Conformance(folder: folder, laws: [.process], dtypes: [.float32]) { _, _ in nil }
    return conformance.verify(Faulty<Fault>.self)[0]
}

private func checkContinuation<Fault: PlantedFault>(_ fault: Fault.Type, in folder: String) throws {
    let difference = try Conformance.continueInThisProcess(Faulty<Fault>.self, in: folder)
    #expect((difference != nil) == fault.breaks.contains(.process), "\(difference ?? "no difference")")
}
