import RondoMixers
import RondoNN
public import RondoTensor

extension LanguageModel {
    /// Parts of mixers whose outputs are decays, step sizes and gates: small errors there add up over time.
    private static let dynamics: Set<String> = [
        "time_step", "parameters", "gates", "rates", "decay", "rate", "gate", "value_share",
    ]

    /// The same model with its matrices stored in another type; the others, such as A, offsets and norms, stay.
    ///
    /// - Parameters:
    ///   - dtype: bfloat16, float16, quantized8 or quantized4.
    ///   - includesDynamics: Whether also the matrices that steer the dynamics (step sizes, decays, gates) are. Some
    ///     mixers, as Mamba-2, map to these with the same matrix as to everything else; it is not spared.
    /// - Returns: A model to read with; it cannot be trained.
    /// - Throws: `RondoError` when there is no memory.
    public func storingMatrices(as dtype: DType, includesDynamics: Bool = false) throws -> LanguageModel {
        let paths = matrixPaths.filter { includesDynamics || !Self.steersDynamics($0) }
        var copy = self
        try copy.forEachParameter { path, parameter in
            if paths.contains(path) { parameter = try parameter.cast(to: dtype) }
        }
        return copy
    }

    /// Whether a matrix of a layer's mixer makes decays, step sizes or gates.
    static func steersDynamics(_ path: String) -> Bool {
        let parts = path.split(separator: ".")
        guard parts.count > 3, parts[0] == "layers", parts[2] == "mixer" else { return false }
        return parts[3...].contains { dynamics.contains(String($0)) }
    }
}
