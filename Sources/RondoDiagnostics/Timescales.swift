#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How much of a signal's deviation from its mean is left some steps later: 1 at lag 0.
public struct Autocorrelation: Sendable, Equatable {
    /// The values at lags 0, 1, ….
    public var values: [Double]

    /// Measures the autocorrelation of one unit.
    ///
    /// Of every trial its own mean is taken off; lag k is the mean product of values k steps apart, over the pairs there
    /// are (unbiased but for the mean); trials are averaged by their number of pairs, and lag 0 makes it 1. `nil` of a
    /// silent unit: one that is constant, or not finite, or whose trials are not longer than `lags`.
    ///
    /// - Parameters:
    ///   - trials: The unit's values step by step, one list for each trial; burn-in cut off.
    ///   - lags: The largest lag.
    public init?(of trials: [[Double]], lags: Int) {
        guard lags >= 0, !trials.isEmpty, trials.allSatisfy({ $0.count > lags }) else { return nil }
        var sums = [Double](repeating: 0, count: lags + 1)
        var pairs = [Double](repeating: 0, count: lags + 1)
        var size = 0.0
        for trial in trials {
            let mean = trial.reduce(0, +) / Double(trial.count)
            size = max(size, abs(mean))
            trial.map { $0 - mean }.withUnsafeBufferPointer { centred in
                for lag in 0...lags {
                    var sum = 0.0
                    for index in 0..<(centred.count - lag) { sum += centred[index] * centred[index + lag] }
                    sums[lag] += sum
                    pairs[lag] += Double(centred.count - lag)
                }
            }
        }
        let variance = sums[0] / pairs[0]
        // A constant has no variance but that of rounding.
        guard variance.isFinite, variance > 1e-14 * size * size, variance > 0 else { return nil }
        values = zip(sums, pairs).map { $0 / $1 / variance }
    }

    /// An autocorrelation that is known.
    public init(values: [Double]) { self.values = values }
}

/// Decaying exponentials fitted to an autocorrelation: Σ aᵢ e^(-k/τᵢ) with aᵢ ≥ 0 and Σ aᵢ ≤ 1.
public struct ExponentialFit: Sendable, Codable, Equatable {
    /// τ, rising, in steps.
    public var timescales: [Double]
    /// a, in the same order.
    public var amplitudes: [Double]
    /// The sum of squared differences over all lags.
    public var residual: Double
    /// Akaike's 2 p + m ln(residual), for p parameters and m independent lags: the smaller of two fits is the better.
    public var informationCriterion: Double

    /// Creates a fit.
    public init(timescales: [Double], amplitudes: [Double], residual: Double, informationCriterion: Double) {
        self.timescales = timescales
        self.amplitudes = amplitudes
        self.residual = residual
        self.informationCriterion = informationCriterion
    }

    /// The fitted value at a lag.
    public func value(at lag: Double) -> Double {
        zip(timescales, amplitudes).reduce(0) { $0 + $1.1 * exp(-lag / $1.0) }
    }
}

/// The timescales of one unit.
public struct TimescaleEstimate: Sendable, Equatable {
    /// What was fitted.
    public var autocorrelation: Autocorrelation
    /// One exponential.
    public var single: ExponentialFit
    /// Two exponentials.
    public var double: ExponentialFit

    /// By how much two exponentials must be the better of the two to be taken.
    public var requiredAdvantage: Double

    /// The fit that Akaike's criterion prefers.
    public var best: ExponentialFit {
        single.informationCriterion - double.informationCriterion > requiredAdvantage ? double : single
    }

    /// The timescale in steps: of the single exponential, or the longer one of two.
    public var timescale: Double { best.timescales.last ?? 0 }
}

/// Measures how slowly units of a network change, by exponentials fitted to their autocorrelation.
///
/// As in Khajehabdollahi et al., 2023 (arXiv 2309.12927): one and two exponentials, by least squares with bounds, chosen
/// by Akaike's criterion. The search is over timescales alone, on a grid that is refined; amplitudes follow from them.
///
/// Errors of neighbouring lags go together, so that m lags say as much as m (1 - ρ) / (1 + ρ) independent ones, with ρ
/// the correlation of neighbouring residuals of the single exponential. On known processes of 10 x 10,000 steps, m
/// itself gave 14 of 48 units with one timescale a second one; this and ``requiredAdvantage`` none of 160, while all of
/// 160 pairs of timescales with ratios from 5 to 15 were told apart.
public struct TimescaleEstimator: Sendable {
    /// The largest lag: small, to avoid the bias of lags at which little is left but noise.
    ///
    /// Timescales well beyond it cannot be told apart.
    public var lags = 40
    /// The bounds of timescales, in steps.
    public var bounds = 0.1...100.0
    /// The least part of the amplitude for each of two exponentials, in 0..<0.5: a slow part of 1 % is hardly a timescale.
    public var leastShare = 0.05
    /// By how much Akaike's criterion must prefer two exponentials: at 10 there is essentially no support for one.
    public var requiredAdvantage = 10.0

    /// Creates an estimator with the defaults.
    public init() {}

    /// Estimates the timescales of one unit.
    ///
    /// - Parameter trials: The unit's values step by step, one list for each trial, burn-in cut off.
    /// - Returns: `nil` of a silent unit.
    public func callAsFunction(_ trials: [[Double]]) -> TimescaleEstimate? {
        Autocorrelation(of: trials, lags: lags).map(estimate)
    }

    /// Estimates the timescales of all units of a network.
    ///
    /// - Parameter trials: For each trial the values of all units by step.
    /// - Returns: One for each unit; `nil` of silent ones.
    public func units(_ trials: [[[Double]]]) -> [TimescaleEstimate?] {
        let count = trials.first?.first?.count ?? 0
        return (0..<count).map { unit in self(trials.map { $0.map { $0[unit] } }) }
    }

    /// Estimates the timescales of a network's mean activity.
    ///
    /// - Parameter trials: For each trial the values of all units by step.
    /// - Returns: `nil` if the mean is constant.
    public func population(_ trials: [[[Double]]]) -> TimescaleEstimate? {
        self(trials.map { $0.map { $0.reduce(0, +) / Double(max(1, $0.count)) } })
    }

    /// Fits both forms to an autocorrelation.
    public func estimate(_ autocorrelation: Autocorrelation) -> TimescaleEstimate {
        let search = ExponentialSearch(autocorrelation.values, bounds: bounds, leastShare: leastShare)
        var (single, double) = (search.single(), search.double())
        let count = Self.independentLags(autocorrelation.values, single)
        // Below the rounding of the values a difference means nothing.
        let least = 1e-24 * Double(autocorrelation.values.count)
        single.informationCriterion = 2 * 2 + count * log(max(single.residual, least))
        double.informationCriterion = 2 * 4 + count * log(max(double.residual, least))
        return TimescaleEstimate(
            autocorrelation: autocorrelation, single: single, double: double, requiredAdvantage: requiredAdvantage)
    }

    /// How many lags with independent errors say as much as all lags.
    private static func independentLags(_ values: [Double], _ fit: ExponentialFit) -> Double {
        let errors = values.enumerated().map { $1 - fit.value(at: Double($0)) }
        let square = errors.reduce(0) { $0 + $1 * $1 }
        let product = zip(errors, errors.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
        let correlation = square > 0 ? min(max(product / square, 0), 1) : 0
        return Double(values.count) * (1 - correlation) / (1 + correlation)
    }
}

/// Least squares over timescales: for given ones the best amplitudes are known in closed form.
private struct ExponentialSearch {
    private let values: [Double]
    private let low: Double
    private let high: Double
    private let leastShare: Double

    /// Logarithms of timescales on the first grid.
    private static let gridCount = 40
    /// Rounds of refinement, each with half the spacing: 2^-26 of a grid step is far below any error of estimation.
    private static let rounds = 26

    init(_ values: [Double], bounds: ClosedRange<Double>, leastShare: Double) {
        self.values = values
        low = log(max(bounds.lowerBound, 1e-6))
        high = max(log(max(bounds.upperBound, 1e-6)), low + 1e-9)
        self.leastShare = leastShare
    }

    func single() -> ExponentialFit {
        var spacing = (high - low) / Double(Self.gridCount - 1)
        var best = grid.map(single(at:)).min { $0.residual < $1.residual } ?? single(at: low)
        for _ in 0..<Self.rounds {
            spacing /= 2
            let middle = log(best.timescales[0])
            for candidate in [middle - spacing, middle + spacing].map(single(at:))
            where candidate.residual < best.residual { best = candidate }
        }
        return best
    }

    func double() -> ExponentialFit {
        var spacing = (high - low) / Double(Self.gridCount - 1)
        let rows = grid.map(decay)
        var (best, place) = (pair(rows[0], rows[1]), (rows[0], rows[1]))
        func consider(_ first: Decay, _ second: Decay) {
            guard first.timescale < second.timescale else { return }
            let candidate = pair(first, second)
            if candidate.residual < best.residual { (best, place) = (candidate, (first, second)) }
        }
        for (index, first) in rows.enumerated() {
            for second in rows[(index + 1)...] { consider(first, second) }
        }
        for _ in 0..<Self.rounds {
            spacing /= 2
            let (first, second) = (log(place.0.timescale), log(place.1.timescale))
            let slower = [-spacing, 0, spacing].map { decay(second + $0) }
            for shift in [-spacing, 0, spacing] {
                let faster = decay(first + shift)
                for slow in slower { consider(faster, slow) }
            }
        }
        return best
    }

    /// A timescale and e^(-k/τ) at every lag.
    private typealias Decay = (timescale: Double, powers: [Double])

    private var grid: [Double] {
        (0..<Self.gridCount).map { low + (high - low) * Double($0) / Double(Self.gridCount - 1) }
    }

    private func decay(_ logarithm: Double) -> Decay {
        let timescale = exp(min(max(logarithm, low), high))
        let ratio = exp(-1 / timescale)
        var power = 1.0
        return (
            timescale,
            values.map { _ in
                defer { power *= ratio }
                return power
            }
        )
    }

    private func single(at logarithm: Double) -> ExponentialFit {
        let (timescale, powers) = decay(logarithm)
        let amplitude = min(max(Self.dot(powers, values) / Self.dot(powers, powers), 0), 1)
        return fit([timescale], [amplitude], [powers])
    }

    /// a (c e₁ + (1 - c) e₂) with a in 0...1 and c within the shares that are allowed.
    ///
    /// The error is a quadratic function of both amplitudes; where its lowest point is not allowed, the lowest allowed
    /// one lies on the border, which is three straight lines.
    private func pair(_ fast: Decay, _ slow: Decay) -> ExponentialFit {
        let (p, q) = (fast.powers, slow.powers)
        let (pp, qq, pq) = (Self.dot(p, p), Self.dot(q, q), Self.dot(p, q))
        let (py, qy) = (Self.dot(p, values), Self.dot(q, values))
        func error(_ a: Double, _ b: Double) -> Double { a * a * pp + b * b * qq + 2 * (a * b * pq - a * py - b * qy) }
        let determinant = pp * qq - pq * pq
        var candidates: [(Double, Double)] = []
        if determinant > 1e-13 * pp * qq {
            let (a, b) = ((py * qq - qy * pq) / determinant, (qy * pp - py * pq) / determinant)
            let least = leastShare * (a + b)
            if a >= least, b >= least, a + b > 0, a + b <= 1 { candidates.append((a, b)) }
        }
        if candidates.isEmpty {
            // On the borders of shares c: a scale along a direction. On the border a + b = 1: a share.
            for share in [leastShare, 1 - leastShare] {
                let (u, v) = (share, 1 - share)
                let curvature = u * u * pp + v * v * qq + 2 * u * v * pq
                let scale = min(max((u * py + v * qy) / curvature, 0), 1)
                candidates.append((scale * u, scale * v))
            }
            let curvature = pp + qq - 2 * pq
            let share = curvature > 1e-13 * pp ? (py - qy - pq + qq) / curvature : 0.5
            let bounded = min(max(share, leastShare), 1 - leastShare)
            candidates.append((bounded, 1 - bounded))
        }
        let best = candidates.min { error($0.0, $0.1) < error($1.0, $1.1) } ?? (0, 0)
        return fit([fast.timescale, slow.timescale], [best.0, best.1], [p, q])
    }

    private func fit(_ timescales: [Double], _ amplitudes: [Double], _ powers: [[Double]]) -> ExponentialFit {
        var residual = 0.0
        for index in values.indices {
            var difference = values[index]
            for term in powers.indices { difference -= amplitudes[term] * powers[term][index] }
            residual += difference * difference
        }
        return ExponentialFit(
            timescales: timescales, amplitudes: amplitudes, residual: residual, informationCriterion: 0)
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for index in a.indices { sum += a[index] * b[index] }
        return sum
    }
}
