import Foundation
import RondoTensor
import RondoTrain
import Testing

@Suite struct ScheduleTests {
    @Test(arguments: ScheduleConfiguration.Kind.allCases)
    func startsAndContinuesWithoutJumps(_ kind: ScheduleConfiguration.Kind) {
        for decay in ScheduleConfiguration.Decay.allCases {
            let schedule = ScheduleConfiguration(kind, warmupSteps: 100, floor: 0.1, decay: decay)
            let values = (0...10_000).map { schedule.multiplier(step: $0, totalSteps: 10_000) }
            #expect(abs(values[0] - 0.01) < 1e-15 && abs(values[99] - 1) < 1e-12)
            #expect(values.allSatisfy { $0 > 0 && $0 <= 1 })
            for (a, b) in zip(values, values.dropFirst()) { #expect(abs(a - b) < 0.025) }
            // After the warm-up it never rises.
            for (a, b) in zip(values[99...], values[100...]) { #expect(b <= a + 1e-15) }
            switch kind {
            case .constant: #expect(values.last == 1)
            case .inverseSquareRoot: #expect(abs(values[399] - 0.5) < 1e-12)
            case .linear, .cosine, .wsd: #expect(abs((values.last ?? 0) - 0.1) < 1e-12)
            }
        }
    }

    @Test func knownPoints() {
        let wsd = ScheduleConfiguration(.wsd, warmupSteps: 0, floor: 0, decayFraction: 0.4)
        #expect(wsd.multiplier(step: 599, totalSteps: 1000) == 1)
        #expect(abs(wsd.multiplier(step: 700, totalSteps: 1000) - 0.5) < 1e-12)
        let cosine = ScheduleConfiguration(.cosine, warmupSteps: 0, floor: 0.2)
        #expect(abs(cosine.multiplier(step: 50, totalSteps: 100) - 0.6) < 1e-12)
        let linear = ScheduleConfiguration(.linear, warmupSteps: 10, floor: 0)
        #expect(abs(linear.multiplier(step: 55, totalSteps: 100) - 0.5) < 1e-12)
    }

    @Test func shortRunsAndStepsBeyondTheEndStayInRange() {
        for kind in ScheduleConfiguration.Kind.allCases {
            let schedule = ScheduleConfiguration(kind, warmupSteps: 100, floor: 0.1)
            for total in [0, 1, 2, 50, 100, 101] {
                for step in 0..<(total + 5) {
                    #expect((0...1).contains(schedule.multiplier(step: step, totalSteps: total)))
                }
            }
        }
    }

    @Test func configurationsAreChecked() throws {
        let schedule = ScheduleConfiguration(.wsd, decay: .linear)
        let data = try JSONEncoder().encode(schedule)
        #expect(try JSONDecoder().decode(ScheduleConfiguration.self, from: data) == schedule)
        #expect(String(decoding: data, as: UTF8.self).contains("warmup_steps"))
        #expect(try JSONDecoder().decode(ScheduleConfiguration.self, from: Data("{}".utf8)) == ScheduleConfiguration())
        #expect { try ScheduleConfiguration(floor: 2).validate() } throws: { "\($0)".contains("schedule.floor") }
        #expect { try ScheduleConfiguration(warmupSteps: -1).validate() } throws: {
            "\($0)".contains("schedule.warmup_steps")
        }
    }
}
