import Foundation
import RondoData
import RondoTensor
import Testing

@Suite struct HawkesProcessTests {
    private static func process() throws -> HawkesProcess {
        try HawkesProcess(baseRates: [0.2, 0.4], excitation: [[0.3, 0.1], [0.4, 0.2]], decay: 1.5)
    }

    /// The rates solve r = μ + a r: with this matrix (0.4, 0.7).
    @Test func ratesAreThoseOfTheStationaryProcess() throws {
        var generator = Generator(seed: 1)
        let events = try Self.process().events(40_000, using: &generator)
        let end = try #require(events.last).time
        #expect(zip(events, events.dropFirst()).allSatisfy { $0.time < $1.time })
        for (mark, rate) in [0.4, 0.7].enumerated() {
            #expect(abs(Double(events.count { $0.mark == mark }) / end / rate - 1) < 0.05)
        }
    }

    /// Two events, by hand.
    @Test func lossesFollowTheDefinition() throws {
        let losses = try Self.process().losses(of: [.init(time: 2, mark: 1), .init(time: 3, mark: 0)])
        #expect(abs(losses[0] - (0.6 * 2 - log(0.4))) < 1e-12)
        // The event of mark 1 raises the rates of 0 and 1 by 1.5 (0.1, 0.2), and causes 0.3 (1 - e^-1.5) in a unit of time.
        let expected = 0.6 + 0.3 * (1 - exp(-1.5)) - log(0.2 + 0.15 * exp(-1.5))
        #expect(abs(losses[1] - expected) < 1e-12)
    }

    /// Nobody predicts better than the process: constant rates are worse, and so are other parameters.
    @Test func theProcessItselfPredictsBest() throws {
        var generator = Generator(seed: 2)
        let events = try Self.process().events(5000, using: &generator)
        func loss(_ process: HawkesProcess) -> Double { process.losses(of: events).reduce(0, +) / 5000 }
        let own = try loss(Self.process())
        let poisson = try HawkesProcess(baseRates: [0.4, 0.7], excitation: [[0, 0], [0, 0]], decay: 1)
        #expect(loss(poisson) > own + 0.1)
        let slower = try HawkesProcess(baseRates: [0.2, 0.4], excitation: [[0.3, 0.1], [0.4, 0.2]], decay: 0.3)
        #expect(loss(slower) > own + 0.01)
    }

    @Test func refusesWhatMakesNoSense() {
        for (rates, excitation, decay) in [
            ([], [], 1), ([0], [[0]], 1), ([1], [[1]], 1), ([1], [[-0.1]], 1), ([1], [[0, 0]], 1), ([1], [[0.5]], 0),
        ] as [([Double], [[Double]], Double)] {
            #expect(throws: RondoError.self) {
                try HawkesProcess(baseRates: rates, excitation: excitation, decay: decay)
            }
        }
    }
}
