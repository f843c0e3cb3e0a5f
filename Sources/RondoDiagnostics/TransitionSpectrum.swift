import RondoMixers
public import RondoModels
public import RondoTensor

/// The eigenvalues by which a layer kept its state while it read something.
public struct TransitionSpectrum: Sendable, Codable, Equatable {
    /// The layer, from the bottom.
    public var layer: Int
    /// Its mixer.
    public var mixer: String
    /// How many eigenvalues there were, over rows and positions.
    public var count: Int
    /// The mean modulus.
    public var meanModulus: Double
    /// The modulus below which a hundredth, a quarter, a half, three quarters, and all but a hundredth lie.
    public var quantiles: [Double]
    /// The share with a negative real part.
    public var negativeShare: Double
    /// The share that turns: with an imaginary part.
    public var complexShare: Double
    /// Some of them, evenly taken: real and imaginary parts.
    public var sample: [[Double]]
    /// How many have a modulus in each fiftieth of 0...`histogramEnd`.
    public var histogram: [Int]
    /// The upper end of the histogram: 1, or the largest modulus if that is larger.
    public var histogramEnd: Double

    /// The quantiles that are taken.
    public static let quantileShares = [0.01, 0.25, 0.5, 0.75, 0.99]

    /// Sums up eigenvalues.
    ///
    /// - Parameters:
    ///   - eigenvalues: Any number of them, at least one.
    ///   - layer: The layer.
    ///   - mixer: Its mixer.
    /// - Throws: `RondoError` if there is no memory.
    public init(_ eigenvalues: ComplexTensor, layer: Int, mixer: String) throws {
        let real = try eigenvalues.real.cast(to: .float64).contiguous().array(of: Double.self)
        let imaginary = try eigenvalues.imaginary.cast(to: .float64).contiguous().array(of: Double.self)
        let moduli = zip(real, imaginary).map { ($0 * $0 + $1 * $1).squareRoot() }
        let sorted = moduli.sorted()
        let total = Double(max(1, moduli.count))
        self.layer = layer
        self.mixer = mixer
        count = moduli.count
        meanModulus = moduli.reduce(0, +) / total
        quantiles = Self.quantileShares.map { share in
            sorted.isEmpty ? 0 : sorted[Int((share * Double(sorted.count - 1)).rounded())]
        }
        negativeShare = Double(real.count { $0 < 0 }) / total
        complexShare = Double(imaginary.count { $0 != 0 }) / total
        let step = max(1, moduli.count / 400)
        sample = stride(from: 0, to: moduli.count, by: step).map { [real[$0], imaginary[$0]] }
        let end = max(1, sorted.last ?? 1)
        histogramEnd = end
        histogram = moduli.reduce(into: [Int](repeating: 0, count: 50)) { $0[min(49, Int($1 / end * 50))] += 1 }
    }

    /// How long something is kept at a modulus, in positions: until 1/e is left.
    public static func timescale(ofModulus modulus: Double) -> Double {
        modulus <= 0 ? 0 : modulus >= 1 ? .infinity : -1 / Elementary.log(modulus)
    }

    /// The eigenvalues of all layers whose mixers report them.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - rows: Tokens of one length, from the beginning.
    /// - Returns: One for each reporting layer.
    /// - Throws: `RondoError` if rows differ in length or a token is outside the vocabulary.
    public static func measure(_ model: LanguageModel, rows: [[Int32]]) throws -> [TransitionSpectrum] {
        let tokens = try Tensor(rows.flatMap { $0 }, shape: [rows.count, rows.first?.count ?? 0])
        var state = try model.initialState(batch: rows.count)
        var spectra: [TransitionSpectrum] = []
        _ = try model.logits(vectors: model.vectors(of: tokens), of: tokens, state: &state, onlyLast: true) { input in
            guard let mixer = input.mixer as? any TransitionReporting else { return }
            let name = type(of: input.mixer).architecture
            spectra.append(
                try TransitionSpectrum(
                    mixer.transitionEigenvalues(input.x, state: input.state, passing: input.shared),
                    layer: input.layer, mixer: name))
        }
        return spectra
    }
}
