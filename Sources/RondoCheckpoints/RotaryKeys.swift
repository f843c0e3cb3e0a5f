import RondoIO

/// The rotary positions of a configuration, in the spelling of today (`rope_parameters`) or the one before.
struct RotaryKeys {
    /// The base of the frequencies.
    var base: Double
    /// The share of a head's channels that turn.
    var fraction: Double

    init(base: Double, fraction: Double) {
        self.base = base
        self.fraction = fraction
    }

    /// Reads both spellings; the newer one counts where both say something.
    ///
    /// - Parameters:
    ///   - keys: The configuration.
    ///   - defaultBase: The base where nothing is said.
    ///   - defaultFraction: The share where nothing is said.
    init(from keys: inout ConfigurationReader, defaultBase: Double = 10_000, defaultFraction: Double = 0.5) {
        base = keys.double("rope_theta", default: defaultBase)
        fraction = keys.double("partial_rotary_factor", default: defaultFraction)
        if keys.value("rope_scaling") != nil { keys.refuse("rope_scaling", "must be absent") }
        guard let parameters = keys.value("rope_parameters") else { return }
        guard let object = parameters.objectValue else {
            keys.refuse("rope_parameters", "must be an object")
            return
        }
        for (key, value) in object.members where value != .null {
            switch key {
            case "rope_theta" where value.doubleValue != nil: base = value.doubleValue ?? base
            case "partial_rotary_factor" where value.doubleValue != nil: fraction = value.doubleValue ?? fraction
            case "rope_type" where value == .string("default"): break
            default:
                keys.refuse(
                    "rope_parameters",
                    "may have rope_theta and partial_rotary_factor as numbers, and rope_type \"default\"")
            }
        }
    }

    /// Today's spelling.
    var value: JSONValue {
        ["rope_type": .string("default"), "rope_theta": .real(base), "partial_rotary_factor": .real(fraction)]
    }
}
