import Foundation
import RondoIO
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// The loss against torch's and against all paths, decoders against all labellings.
@Suite struct CTCTests {
    init() { poisonFreshMemory() }

    /// Tests/Parity/losses/make_vectors.py makes the file.
    @Test func lossEqualsTorch() throws {
        let url = try #require(
            Bundle.module.url(forResource: "ctc", withExtension: "safetensors", subdirectory: "Vectors"))
        let file = try SafetensorsFile(url.path)
        func vector(_ name: String) throws -> Tensor {
            let entry = try file.entry(name)
            let values = try file.withUnsafeBytes(of: name) { bytes in
                stride(from: 0, to: bytes.count, by: 8).map { bytes.loadUnaligned(fromByteOffset: $0, as: Double.self) }
            }
            return try Tensor(values, shape: Shape(entry.shape))
        }
        let (frames, labels): ([Int], [[Int32]]) = (
            [9, 7, 4, 9, 3], [[1, 1, 3], [0, 5, 4, 0], [3, 3], [], [5, 5, 1]]
        )
        let logits = try vector("logits")
        let operation = TemporalClassification(targets: labels, inputLengths: frames, blank: 2, zeroInfinity: true)
        let (losses, pullback) = try valuesAndPullback(of: [logits]) { try operation($0) }
        let tolerance = Tolerance(.float64, length: 30, depth: 9)
        #expect(try tolerance.mismatch(losses[0], vector("losses")) == nil)
        #expect(try tolerance.mismatch(pullback([vector("weights")])[0], vector("gradient")) == nil)
        let mean = try Loss.ctc(logits, targets: labels, inputLengths: frames, blank: 2, zeroInfinity: true)
        #expect(try tolerance.mismatch(mean.reshaped([1]), vector("mean")) == nil)
        #expect(try Loss.ctc(logits, targets: labels, inputLengths: frames, blank: 2).scalar() == .infinity)
    }

    /// Of one sequence of four frames and three classes, by adding up all 81 paths.
    private static func probabilities(_ logits: Tensor) throws -> [[Int32]: Double] {
        let p = try logits.softmax().array(of: Double.self)
        var sums: [[Int32]: Double] = [:]
        for number in 0..<81 {
            let path = [number % 3, number / 3 % 3, number / 9 % 3, number / 27]
            let labels = CTCDecoder().collapse(path.map(Int32.init))
            sums[labels, default: 0] += path.enumerated().reduce(1) { $0 * p[$1.offset * 3 + $1.element] }
        }
        return sums
    }

    @Test func lossAndWideBeamAddUpAllPaths() throws {
        var generator = Generator(seed: 3)
        for _ in 0..<5 {
            let logits = try generator.normal([1, 4, 3], deviation: 2, dtype: .float64)
            let expected = try Self.probabilities(logits)
            for (labels, probability) in expected {
                let operation = TemporalClassification(targets: [labels], inputLengths: [4])
                #expect(abs(try exp(-operation([logits])[0].sum().scalar()) - probability) < 1e-12)
            }
            let beam = try CTCDecoder().beam(logits, width: 100)[0]
            #expect(beam.count == expected.count)
            for labelling in beam {
                let probability = try #require(expected[labelling.labels])
                #expect(abs(exp(labelling.logProbability) - probability) < 1e-12)
            }
            #expect(beam.map(\.logProbability) == beam.map(\.logProbability).sorted(by: >))
        }
    }

    /// Blank 0.6 and a label 0.4 at both frames: the best path is empty (0.36), the best labelling is not (0.64).
    @Test func beamFindsWhatTheBestPathMisses() throws {
        let logits = try Tensor([0.6, 0.4, 0.6, 0.4], shape: [1, 2, 2]).log()
        #expect(try CTCDecoder().greedy(logits) == [[]])
        let best = try #require(try CTCDecoder().beam(logits, width: 2)[0].first)
        #expect(best.labels == [1])
        #expect(abs(exp(best.logProbability) - 0.64) < 1e-6)
    }

    @Test func decodersReadLengthsAndBlank() throws {
        // Classes 1 1 2(blank) 1 0 0, each with nearly all probability.
        let path: [Int32] = [1, 1, 2, 1, 0, 0]
        let row = try Tensor.identity(3, dtype: .float64).takingRows(Tensor(path)) * 20
        let logits = try Tensor.stack([row, row])
        let decoder = CTCDecoder(blank: 2)
        #expect(decoder.collapse(path) == [1, 1, 0])
        #expect(try decoder.greedy(logits, inputLengths: [6, 3]) == [[1, 1, 0], [1]])
        let beams = try decoder.beam(logits, inputLengths: [6, 0], width: 3)
        #expect(beams[0].first?.labels == [1, 1, 0])
        #expect(beams[1].map(\.labels) == [[]] && beams[1].map(\.logProbability) == [0])
    }

    /// A frame whose scores are minus infinity for all that is needed leaves no path, and no NaN.
    @Test func classesThatCannotBeAreNoPath() throws {
        let logits = try Tensor([0, -Double.infinity, 0, -Double.infinity], shape: [1, 2, 2])
        let operation = TemporalClassification(targets: [[1]], inputLengths: [2], zeroInfinity: true)
        let (losses, pullback) = try valuesAndPullback(of: [logits]) { try operation($0) }
        #expect(try losses[0].array(of: Double.self) == [0])
        #expect(try pullback([Tensor([1.0])])[0].array(of: Double.self) == [0, 0, 0, 0])
    }

    @Test func refusesWhatMakesNoSense() throws {
        let logits = try Tensor.zeros([2, 4, 3])
        for (targets, lengths, blank) in [
            ([[1], [0]], [4, 4], Int32(0)), ([[1], [3]], [4, 4], 0), ([[1], [-1]], [4, 4], 0),
            ([[1], [1]], [4, 5], 0),
            ([[1], [1]], [4, 4], 3),
        ] as [([[Int32]], [Int], Int32)] {
            #expect { _ = try Loss.ctc(logits, targets: targets, inputLengths: lengths, blank: blank) } throws: {
                ($0 as? RondoError)?.code == .outOfRange
            }
        }
        for targets in [[[1]], [[1], [1], [1]]] as [[[Int32]]] {
            #expect { _ = try Loss.ctc(logits, targets: targets) } throws: {
                ($0 as? RondoError)?.code == .shapeMismatch
            }
        }
        #expect(throws: RondoError.self) { try CTCDecoder(blank: 3).greedy(logits) }
        #expect(throws: RondoError.self) { try CTCDecoder().greedy(logits, inputLengths: [4, 5]) }
        #expect(throws: RondoError.self) { try CTCDecoder().beam(logits, width: 0) }
    }
}
