public import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Events of several kinds that cause more events (Hawkes, 1971).
///
/// The rate of mark i is λᵢ(t) = μᵢ + Σ_{k: t_k < t} a[i][m_k] β exp(-β (t - t_k)). There is nothing before time 0.
public struct HawkesProcess: Codable, Sendable, Equatable {
    /// Something that happened.
    public struct Event: Codable, Sendable, Equatable {
        /// When, from 0.
        public var time: Double
        /// Its kind, from 0.
        public var mark: Int

        /// Creates an event.
        public init(time: Double, mark: Int) {
            self.time = time
            self.mark = mark
        }
    }

    /// The rate μ of every mark without any event before.
    public let baseRates: [Double]
    /// a[i][j]: how many events of mark i an event of mark j is expected to cause itself.
    public let excitation: [[Double]]
    /// The rate β at which an event's influence fades.
    public let decay: Double

    /// Creates a process.
    ///
    /// - Parameters:
    ///   - baseRates: The rate of every mark without any event before, above 0.
    ///   - excitation: A square matrix, 0 or more; the columns add up to less than 1, so that causes die out.
    ///   - decay: The rate at which an event's influence fades, above 0.
    /// - Throws: `RondoError` of code `invalidArgument`.
    public init(baseRates: [Double], excitation: [[Double]], decay: Double) throws {
        let positive = baseRates.allSatisfy { $0 > 0 && $0.isFinite } && !baseRates.isEmpty
        try requireValue(positive, "base_rates", baseRates, "one or more numbers above 0")
        try requireValue(decay > 0 && decay.isFinite, "decay", decay, "a number above 0")
        let isSquare = excitation.count == baseRates.count && excitation.allSatisfy { $0.count == baseRates.count }
        try requireValue(
            isSquare && excitation.joined().allSatisfy { $0 >= 0 }, "excitation", excitation,
            "a row and a column for every mark, of numbers from 0")
        let sums = baseRates.indices.map { column in excitation.reduce(0) { $0 + $1[column] } }
        try requireValue(sums.allSatisfy { $0 < 1 }, "excitation", excitation, "columns that add up to less than 1")
        self.baseRates = baseRates
        self.excitation = excitation
        self.decay = decay
    }

    /// Draws the first events by thinning (Ogata, 1981): candidates at the rate of just now, which only falls until the
    /// next event, are taken with the share of it that is left.
    ///
    /// - Parameters:
    ///   - count: How many.
    ///   - generator: Draws them.
    /// - Returns: The events in the order of time.
    public func events(_ count: Int, using generator: inout Generator) -> [Event] {
        var events: [Event] = []
        var (time, caused) = (0.0, baseRates.map { _ in 0.0 })
        let base = baseRates.reduce(0, +)
        while events.count < count {
            let bound = base + caused.reduce(0, +)
            let wait = -log1p(-Double.random(in: 0..<1, using: &generator)) / bound
            time += wait
            for mark in caused.indices { caused[mark] *= exp(-decay * wait) }
            var rest = Double.random(in: 0..<1, using: &generator) * bound
            let mark = baseRates.indices.first { mark in
                rest -= baseRates[mark] + caused[mark]
                return rest < 0
            }
            guard let mark else { continue }
            events.append(Event(time: time, mark: mark))
            excite(&caused, by: mark)
        }
        return events
    }

    /// For every event -log of the density of its time and mark, given all before it, in nats.
    ///
    /// - Parameter events: In the order of time, with marks of this process.
    /// - Returns: As many numbers.
    public func losses(of events: [Event]) -> [Double] {
        var (last, caused) = (0.0, baseRates.map { _ in 0.0 })
        let base = baseRates.reduce(0, +)
        return events.map { event in
            let (wait, before) = (event.time - last, caused.reduce(0, +))
            let left = exp(-decay * wait)
            let expected = base * wait + before * (1 - left) / decay
            for mark in caused.indices { caused[mark] *= left }
            let loss = expected - log(baseRates[event.mark] + caused[event.mark])
            excite(&caused, by: event.mark)
            last = event.time
            return loss
        }
    }

    private func excite(_ caused: inout [Double], by mark: Int) {
        for other in caused.indices { caused[other] += excitation[other][mark] * decay }
    }
}
