import RondoTensor
import RondoTestSupport
import Testing

/// What scans promise beyond the equality of kernels and references.
@Suite struct ScanTests {
    init() { poisonFreshMemory() }

    /// One operation with inputs whose last `states` carry, and which of the others run over time.
    struct Scan: Sendable, CustomTestStringConvertible {
        var operation: any CPUFusedOperation
        var sequences: Int
        var states: Int
        var channelsPerGate = 1

        var testDescription: String { "\(type(of: operation)) \(channelsPerGate)" }

        func inputs(_ batch: Int, _ time: Int, _ channels: Int) throws -> [Tensor] {
            var generator = Generator(seed: 31)
            let gates = channels / channelsPerGate
            return try (0..<sequences).map {
                let first = $0 < sequences / 2
                return try generator.uniform([batch, time, first ? gates : channels], low: -0.7, high: 0.7)
            } + (0..<states).map { _ in try generator.normal([batch, channels]) }
        }
    }

    static let scans = [
        Scan(operation: DiagonalScan(), sequences: 2, states: 1),
        Scan(operation: DiagonalScan(channelsPerGate: 32), sequences: 2, states: 1, channelsPerGate: 32),
        Scan(operation: ComplexDiagonalScan(), sequences: 4, states: 2),
        Scan(operation: MaxPlusScan(), sequences: 2, states: 1),
        Scan(operation: LeakyIntegrateAndFire(threshold: 0.2), sequences: 1, states: 1),
    ]

    @Test(arguments: scans) func splittingASequenceChangesNothing(_ scan: Scan) throws {
        let inputs = try scan.inputs(2, 70, 96)
        let whole = try scan.operation(inputs)
        for position in [0, 1, 63, 64, 65, 70] {
            func part(_ range: Range<Int>, _ states: [Tensor]) throws -> [Tensor] {
                try scan.operation(inputs.prefix(scan.sequences).map { try $0.sliced(1, range) } + states)
            }
            let first = try part(0..<position, Array(inputs.suffix(scan.states)))
            let second = try part(position..<70, Array(first.suffix(scan.states)))
            for index in 0..<scan.states {
                let both = try Tensor.concatenate([first[index], second[index]], axis: 1)
                #expect(try sameBits(both, whole[index]))
                #expect(try sameBits(second[scan.states + index], whole[scan.states + index]))
            }
        }
    }

    /// A large batch is stored past the caches, a single sequence is not.
    @Test(arguments: scans) func largeBatchesEqualTheirSequences(_ scan: Scan) throws {
        let inputs = try scan.inputs(17, 130, 512)
        func results(_ inputs: [Tensor]) throws -> [Tensor] {
            let (outputs, pullback) = try valuesAndPullback(of: inputs) { try scan.operation($0) }
            return try outputs + pullback(outputs)
        }
        let all = try results(inputs)
        for row in [0, 16] {
            let alone = try results(inputs.map { try $0.sliced(0, row..<row + 1) })
            for (one, many) in zip(alone, all) {
                #expect(try sameBits(one, many.sliced(0, row..<row + 1).contiguous()))
            }
        }
    }

    @Test(arguments: scans) func eachOutputAloneHasADerivative(_ scan: Scan) throws {
        let inputs = try scan.inputs(2, 67, 64)
        for output in 0..<2 * scan.states {
            func gradients(_ mode: FusedMode) throws -> [Tensor] {
                try valueAndGradient(of: inputs) {
                    try scan.operation($0, mode: mode)[output].square().sum()
                }.gradients
            }
            for (kernel, reference) in try zip(gradients(.kernel), gradients(.reference)) {
                #expect(try Tolerance(.float32, length: 67, depth: 4).mismatch(kernel, reference) == nil)
            }
        }
    }

    @Test(arguments: [FusedMode.kernel, .reference]) func tiesGoToTheFirstOperand(_ mode: FusedMode) throws {
        let inputs = try [
            Tensor([Float(0), -1, 2], shape: [1, 3, 1]), Tensor([Float(1), 0, 7], shape: [1, 3, 1]),
            Tensor([Float(1)], shape: [1, 1]),
        ]
        let (value, gradients) = try valueAndGradient(of: inputs) { try MaxPlusScan()($0, mode: mode)[0].sum() }
        #expect(try value.scalar() == 1 + 0 + 7)
        #expect(try gradients[0].array(of: Float.self) == [2, 1, 0])
        #expect(try gradients[1].array(of: Float.self) == [0, 0, 1])
        #expect(try gradients[2].array(of: Float.self) == [2])
    }

    @Test(arguments: [FusedMode.kernel, .reference]) func nothingBeforeMakesNoNaN(_ mode: FusedMode) throws {
        let nothing = -Float.infinity
        let inputs = try [
            Tensor([Float(1), nothing, 0, nothing], shape: [1, 4, 1]),
            Tensor([nothing, nothing, 3, nothing], shape: [1, 4, 1]), Tensor([nothing], shape: [1, 1]),
        ]
        let (outputs, pullback) = try valuesAndPullback(of: inputs) { try MaxPlusScan()($0, mode: mode) }
        #expect(try outputs[0].array(of: Float.self) == [nothing, nothing, 3, nothing])
        #expect(try outputs[1].array(of: Float.self) == [nothing])
        let gradients = try pullback([Tensor.ones([1, 4, 1]), Tensor.ones([1, 1])])
        #expect(try gradients[0].array(of: Float.self) == [2, 1, 0, 2])
        #expect(try gradients[1].array(of: Float.self) == [0, 0, 3, 0])
        #expect(try gradients[2].array(of: Float.self) == [2])
    }

    @Test(arguments: [FusedMode.kernel, .reference]) func notANumberStays(_ mode: FusedMode) throws {
        for bad in 0..<3 {
            var inputs = try [Tensor.zeros([1, 2, 20]), Tensor.ones([1, 2, 20]), Tensor.full([1, 20], 2)]
            inputs[bad] = try inputs[bad] * .nan
            #expect(try MaxPlusScan()(inputs, mode: mode)[1].array(of: Float.self).allSatisfy(\.isNaN))
        }
    }

    /// torch's derivatives of the same loop, with a step function whose derivative is that of the sigmoid of 4 z.
    @Test(arguments: [FusedMode.kernel, .reference]) func spikesHaveSurrogateDerivatives(_ mode: FusedMode) throws {
        let inputs = try [
            Tensor([0.5, 1.5, 1.75, -0.5, 2.5, 0.75, 1.25], shape: [1, 7, 1]), Tensor([0.25], shape: [1, 1]),
        ]
        let (outputs, pullback) = try valuesAndPullback(of: inputs) { try LeakyIntegrateAndFire()($0, mode: mode) }
        #expect(try outputs[0].array(of: Double.self) == [0, 0, 1, 0, 1, 0, 0])
        #expect(try outputs[1].array(of: Double.self) == [0.8125])
        let cotangents = try [Tensor([1.0, 2, -1, 3, 1, -2, 1.5], shape: [1, 7, 1]), Tensor([0.5], shape: [1, 1])]
        let gradients = try pullback(cotangents).map { try $0.array(of: Double.self) }
        let expected = [
            [
                0.551_933_275_774_782_1, 0.823_451_685_369_131_2, -0.322_169_291_162_523_5, 0.274_892_052_226_335_4,
                0.470_007_424_403_189, 0.171_427_624_462_288_4, 0.903_684_981_285_442_1,
            ], [0.551_933_275_774_782_1],
        ]
        for (found, wanted) in zip(gradients, expected) {
            #expect(zip(found, wanted).allSatisfy { abs($0 - $1) < 1e-14 })
        }
    }

    @Test(arguments: [FusedMode.kernel, .reference]) func potentialsMayBeInfiniteOrNoNumber(_ mode: FusedMode) throws {
        let x = try Tensor([Float.infinity, 0, -.infinity, 1, .nan, 3], shape: [1, 6, 1])
        let fired = try LeakyIntegrateAndFire()([x, Tensor.zeros([1, 1])], mode: mode)
        let spikes = try fired[0].array(of: Float.self)
        #expect(spikes[..<4] == [1, 0, 0, 0] && spikes[4...].allSatisfy(\.isNaN))
        #expect(try fired[1].array(of: Float.self)[0].isNaN)
    }

    @Test func constantsThatMakeNoNeuronAreRefused() throws {
        let (x, v) = (try Tensor.zeros([1, 2, 3]), try Tensor.zeros([1, 3]))
        for neuron in [
            LeakyIntegrateAndFire(tau: 0.5), .init(threshold: 0), .init(sharpness: -1), .init(tau: .nan),
        ] {
            #expect(try rondoError { _ = try neuron([x, v]) }.code == .invalidArgument)
        }
        #expect(try rondoError { _ = try LeakyIntegrateAndFire()([x, x]) }.code == .shapeMismatch)
    }

    @Test func shapesThatDoNotFitAreRefused() throws {
        let (sequence, state) = (try Tensor.zeros([2, 3, 4]), try Tensor.zeros([2, 4]))
        let wrong = try [Tensor.zeros([3]), Tensor.zeros([2, 3, 2]), Tensor.zeros([2, 1, 4])]
        for gate in wrong {
            #expect(throws: RondoError.self) { try DiagonalScan()([gate, sequence, state]) }
            #expect(throws: RondoError.self) { try MaxPlusScan()([gate, sequence, state]) }
            #expect(throws: RondoError.self) {
                try ComplexDiagonalScan()([gate, gate, sequence, sequence, state, state])
            }
        }
        #expect(throws: RondoError.self) { try DiagonalScan(channelsPerGate: 3)([sequence, sequence, state]) }
        #expect(throws: RondoError.self) { try DiagonalScan(channelsPerGate: 0)([sequence, sequence, state]) }
        #expect(throws: RondoError.self) { try DiagonalScan()([sequence, sequence]) }
        #expect(try DiagonalScan(channelsPerGate: 2)([wrong[1], sequence, state])[0].shape == [2, 3, 4])
    }
}
