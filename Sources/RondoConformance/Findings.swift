import RondoMixers
import RondoNN
import RondoTensor

/// Collects what a law finds: the worst difference, and the first failure.
struct Findings {
    var error = 0.0
    var tolerance = 0.0
    var failure: String?
    /// Whether the values compared jump at thresholds, about which rounding decides now and then.
    var allowsJumps = false

    /// Compares tensors within rounding.
    ///
    /// The one formula of all laws: `8 · ε · depth · √length`, relative to the largest magnitude expected, at least 1.
    /// Rounding errors of a sum of `length` terms grow like its root; `depth` operations lie one after the other. With
    /// thresholds, one element in a thousand may be wholly different.
    mutating func compare(
        _ actual: Tensor, _ expected: Tensor, length: Int, depth: Int = 16, scale: Double = 1,
        _ what: @autoclosure () -> String
    ) throws {
        let epsilon = actual.dtype == .float64 ? 0x1p-52 : 0x1p-23
        let limit = 8 * epsilon * Double(depth) * Double(max(1, length)).squareRoot() * scale
        tolerance = max(tolerance, limit)
        guard actual.shape == expected.shape else {
            return fail("\(what()): shape \(actual.shape) instead of \(expected.shape)")
        }
        let found = try actual.detached().cast(to: .float64).array(of: Double.self)
        let wanted = try expected.detached().cast(to: .float64).array(of: Double.self)
        let magnitude = wanted.reduce(1) { max($0, $1.isFinite ? abs($1) : 0) }
        var jumps = allowsJumps ? found.count / 1000 : 0
        for (index, (a, b)) in zip(found, wanted).enumerated() where a != b {
            let difference = abs(a - b) / magnitude
            if jumps > 0, difference > limit {
                jumps -= 1
                continue
            }
            error = max(error, difference.isNaN ? .infinity : difference)
            if !(difference <= limit) {
                return fail(
                    "\(what()): element \(index) of \(actual.shape) is \(a) instead of \(b), off by \(difference)")
            }
        }
    }

    /// Compares states within rounding, leaf by leaf.
    mutating func compare(
        _ actual: MixerState, _ expected: MixerState, length: Int, scale: Double = 1, _ what: @autoclosure () -> String
    ) throws {
        guard actual.positions == expected.positions else {
            return fail("\(what()): positions \(actual.positions) instead of \(expected.positions)")
        }
        let (found, wanted) = (actual.named, expected.named)
        for (name, (a, b)) in zip(wanted.paths, zip(found.tensors, wanted.tensors)) {
            try compare(a, b, length: length, scale: scale, "\(what()), state '\(name)'")
        }
    }

    /// Compares tensors bit for bit.
    mutating func compareBits(_ actual: Tensor, _ expected: Tensor, _ what: @autoclosure () -> String) throws {
        guard try actual.hasSameBits(as: expected) else {
            return fail("\(what()): bits differ (shapes \(actual.shape) and \(expected.shape))")
        }
    }

    /// Compares states bit for bit.
    mutating func compareBits(_ actual: MixerState, _ expected: MixerState, _ what: @autoclosure () -> String) throws {
        if actual.positions != expected.positions {
            fail("\(what()): positions \(actual.positions) instead of \(expected.positions)")
        }
        for (name, (a, b)) in zip(expected.names, zip(actual.named.tensors, expected.named.tensors)) {
            try compareBits(a, b, "\(what()), state '\(name)'")
        }
    }

    /// Notes a failure; the first one counts.
    mutating func fail(_ message: String) {
        if failure == nil { failure = message }
    }

    /// Notes a failure unless something holds.
    mutating func require(_ holds: Bool, _ message: @autoclosure () -> String) {
        if !holds { fail(message()) }
    }
}

extension Tensor {
    /// Whether another tensor holds the same bits under the same shape and type.
    func hasSameBits(as other: Tensor) throws -> Bool {
        guard shape == other.shape, dtype == other.dtype else { return false }
        return try withUnsafeBytes { first in try other.withUnsafeBytes { first.elementsEqual($0) } }
    }
}
