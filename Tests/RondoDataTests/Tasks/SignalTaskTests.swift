import Foundation
import RondoData
import RondoIO
import RondoTensor
import Testing

@Suite struct AddingTaskTests {
    @Test func theTargetIsTheSumOfTheMarkedNumbers() throws {
        var (sum, squares) = (0.0, 0.0)
        try forEachExample(of: AddingTask(), lengths: [2, 3, 40], count: 3000) { example, length in
            #expect(example.features.count == length && example.features.allSatisfy { (0..<1).contains($0[0]) })
            let marked = example.features.indices.filter { example.features[$0][1] == 1 }
            #expect(marked.count == 2 && marked[0] < length / 2 && marked[1] >= length / 2)
            #expect(example.features.allSatisfy { $0[1] == 0 || $0[1] == 1 })
            #expect(example.values.dropLast().allSatisfy { $0 == nil })
            let target = try #require(example.values.last ?? nil)
            #expect(target == [example.features[marked[0]][0] + example.features[marked[1]][0]])
            sum += Double(target[0])
            squares += Double((target[0] - 1) * (target[0] - 1))
        }
        #expect(abs(sum / 3000 - 1) < 0.04 && abs(squares / 3000 - 1.0 / 6) < 0.02)
        expectRefusal(AddingTask(), length: 1)
    }
}

@Suite struct DelayMemoryTaskTests {
    @Test func theTargetIsTheSignalBefore() throws {
        for delay in [0, 1, 16] {
            let memory = try task(DelayMemoryTask.self, #"{"delay": \#(delay), "noise": 0}"#)
            try forEachExample(of: memory, lengths: [delay + 1, 100], count: 20) { example, length in
                for position in 0..<length {
                    #expect(example.values[position] == (position < delay ? nil : example.features[position - delay]))
                }
            }
            expectRefusal(memory, length: delay)
        }
    }

    @Test func theNoiseIsInTheInputOnly() throws {
        let memory = try task(DelayMemoryTask.self, #"{"delay": 0, "noise": 0.3}"#)
        var (squares, largest, count) = (0.0, 0.0, 0)
        try forEachExample(of: memory, lengths: [500], count: 20) { example, _ in
            for (feature, value) in zip(example.features, example.values) {
                let noise = Double(feature[0] - (value?[0] ?? 0))
                squares += noise * noise
                largest = max(largest, abs(noise))
                count += 1
            }
        }
        #expect(abs((squares / Double(count)).squareRoot() - 0.3) < 0.02 && largest < 0.3 * 3.0.squareRoot() + 1e-6)
    }

    /// The power of a signal at some frequencies, each in cycles a position.
    private func power(_ signal: [Float], _ frequencies: [Double]) -> Double {
        frequencies.reduce(0) { total, frequency in
            let angles = signal.indices.map { 2 * Double.pi * frequency * Double($0) }
            // A window keeps the power of a tone near its frequency.
            let window = signal.indices.map { 1 - cos(2 * .pi * Double($0) / Double(signal.count)) }
            let real = signal.indices.reduce(0.0) { $0 + Double(signal[$1]) * window[$1] * cos(angles[$1]) }
            let imaginary = signal.indices.reduce(0.0) { $0 + Double(signal[$1]) * window[$1] * sin(angles[$1]) }
            return total + real * real + imaginary * imaginary
        }
    }

    @Test func theSignalHasTheBandwidthAndVarianceOfTheCard() throws {
        let memory = try task(DelayMemoryTask.self, #"{"delay": 0, "noise": 0, "shortest_period": 8}"#)
        var (squares, low, inside, outside) = (0.0, 0.0, 0.0, 0.0)
        try forEachExample(of: memory, lengths: [400], count: 40) { example, _ in
            let signal = example.features.map { $0[0] }
            squares += signal.reduce(0) { $0 + Double($1 * $1) } / 400
            low += power(signal, stride(from: 0.01, to: 0.06, by: 0.0025).map(\.self))
            inside += power(signal, stride(from: 0.065, to: 0.115, by: 0.0025).map(\.self))
            outside += power(signal, stride(from: 0.14, to: 0.5, by: 0.0025).map(\.self))
        }
        #expect(abs(squares / 40 - 1) < 0.1)
        #expect(abs(low / inside - 1) < 0.3 && outside / inside < 1e-3, "\(low) \(inside) \(outside)")
    }

    @Test func mistakesAreRefused() {
        expectRefusal(DelayMemoryTask.self, #"{"delay": -1}"#, naming: "delay -1")
        expectRefusal(DelayMemoryTask.self, #"{"shortest_period": 1.5}"#, naming: "shortest_period 1.5")
        expectRefusal(DelayMemoryTask.self, #"{"noise": -0.1}"#, naming: "noise -0.1")
    }
}

@Suite struct ArrowPointingTaskTests {
    @Test func anArrowPointsAtWhatItsRayPassesBy() throws {
        var pointing = 0
        var angles: Set<Int> = []
        try forEachExample(of: ArrowPointingTask(), lengths: [2, 5, 12], count: 900) { example, side in
            #expect(example.features.count == side * side && example.asked == [side * side - 1])
            let target = try #require(example.features.firstIndex { $0[0] == 1 })
            let arrow = try #require(example.features.firstIndex { $0[1] == 1 })
            let filled = example.features.indices.filter { example.features[$0] != [0, 0, 0, 0] }
            #expect(target != arrow && filled == [target, arrow].sorted())
            let angle = atan2(Double(example.features[arrow][3]), Double(example.features[arrow][2]))
            let eighths = angle / (.pi / 8)
            #expect(abs(eighths - eighths.rounded()) < 1e-6)
            angles.insert(Int(eighths.rounded()))
            // The nearest of many points on the ray.
            let nearest =
                stride(from: 0, to: 2 * Double(side), by: 0.02).map { way in
                    let column = Double(arrow % side) + way * cos(angle) - Double(target % side)
                    let row = Double(arrow / side) + way * sin(angle) - Double(target / side)
                    return (column * column + row * row).squareRoot()
                }.min() ?? .infinity
            #expect(example.answers.last == (nearest <= 0.6 ? "1" : "0"), "\(nearest)")
            if example.classes.last == 1 { pointing += 1 }
        }
        #expect(abs(share(pointing, of: 900) - 0.5) < 0.07 && angles.count >= 16)
        expectRefusal(ArrowPointingTask(), length: 1)
        expectRefusal(ArrowPointingTask.self, #"{"tolerance": 1}"#, naming: "tolerance 1")
    }
}
