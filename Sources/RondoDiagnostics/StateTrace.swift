import RondoMixers
public import RondoModels
import RondoNN
import RondoTensor

/// What the states of a model look like as they fill: their size, how many directions they use, how much is saturated.
public struct StateTrace: Sendable, Codable, Equatable {
    /// A tensor of a state.
    public struct Leaf: Sendable, Codable, Equatable {
        /// Its layer and name, as `layers.0.ssm`.
        public var name: String
        /// The extents of one row: of a matrix state, heads, rows and columns.
        public var shape: [Int]
        /// Whether no element left -1...1 on the whole way, as those of tanh units.
        public var isBounded: Bool
        /// The measurements by rising position.
        public var points: [Point]

        /// How much the norm of each head grew from the reference on; 1 where there was nothing.
        public func growth(from reference: Int) -> [Double] {
            guard let first = points.first(where: { $0.position >= reference }) ?? points.first,
                let last = points.last
            else { return [] }
            return zip(first.norms, last.norms).map { $0 > 0 ? $1 / $0 : 1 }
        }
    }

    /// A leaf at one position; means are over rows.
    public struct Point: Sendable, Codable, Equatable {
        /// How many positions were read.
        public var position: Int
        /// The root mean square over rows of the Frobenius norm, for each head.
        public var norms: [Double]
        /// The mean effective rank of each head's matrix; empty of vectors.
        public var effectiveRanks: [Double]
        /// The singular values, falling, mean over rows and heads; empty of vectors.
        public var spectrum: [Double]
        /// The share of elements that are larger than ``StateTrace/excess`` times the level of their head at the
        /// reference.
        public var exceeding: Double
        /// The share of elements at ±0.99 or beyond; it means something only if the leaf is bounded.
        public var saturated: Double
    }

    /// How many times its early level an element must be to exceed it.
    public var excess: Double
    /// The position at which the early level is taken.
    public var reference: Int
    /// The leaves.
    public var leaves: [Leaf] = []

    /// Leaves that repeat what was read rather than sum it up.
    static let histories: Set<String> = ["conv", "shift", "before", "writes"]

    /// Begins.
    ///
    /// - Parameters:
    ///   - reference: The position at which the early level is taken: the training length, if it is known.
    ///   - excess: How many times its early level an element must be to exceed it.
    public init(reference: Int, excess: Double = 4) {
        self.reference = reference
        self.excess = excess
    }

    /// Measures a state; states must come by rising positions.
    ///
    /// Left out are caches that grow, and the last inputs that convolutions keep.
    ///
    /// - Parameters:
    ///   - state: The state.
    ///   - model: Whose state it is.
    ///   - position: How many positions were read.
    /// - Throws: `RondoError` if there is no memory.
    public mutating func append(_ state: ModelState, of model: LanguageModel, at position: Int) throws {
        for (index, layer) in state.layers.enumerated()
        where type(of: model.layers[index].mixer).card.stateGrowth == .constant {
            for (name, tensor) in zip(layer.named.paths, layer.named.tensors)
            where !Self.histories.contains(name) && tensor.dtype.isDifferentiable && tensor.count > 0 {
                try append(
                    tensor.cast(to: .float64).contiguous().array(of: Double.self), shape: Array(tensor.shape),
                    name: "layers.\(index).\(name)", at: position)
            }
        }
    }

    /// Measures a leaf.
    ///
    /// - Parameters:
    ///   - values: The elements of all rows.
    ///   - shape: `[batch, width]`, `[batch, rows, columns]` or `[batch, heads, rows, columns]`.
    ///   - name: The leaf's name.
    ///   - position: How many positions were read.
    public mutating func append(_ values: [Double], shape: [Int], name: String, at position: Int) {
        let (batch, heads, columns) = (
            shape[0], shape.count >= 4 ? shape[1] : 1, shape.count >= 3 ? shape.last ?? 1 : 0
        )
        let size = values.count / max(1, batch * heads)
        var point = Point(
            position: position, norms: [], effectiveRanks: [], spectrum: [], exceeding: 0,
            saturated: Self.share(values) { abs($0) >= 0.99 })
        var spectra: [SingularSpectrum] = []
        for head in 0..<heads {
            let blocks = (0..<batch).map { row in
                Array(values[(row * heads + head) * size..<(row * heads + head + 1) * size])
            }
            let squares = blocks.joined().reduce(0) { $0 + $1 * $1 }
            point.norms.append((squares / Double(batch)).squareRoot())
            guard columns > 0 else { continue }
            let own = blocks.map { SingularSpectrum(of: $0, columns: columns) }
            point.effectiveRanks.append(own.reduce(0) { $0 + $1.effectiveRank } / Double(batch))
            spectra += own
        }
        if let count = spectra.first?.values.count {
            point.spectrum = (0..<count).map { index in
                spectra.reduce(0) { $0 + $1.values[index] } / Double(spectra.count)
            }
        }
        // What an element has on average, by head.
        let early = (position <= reference ? nil : earlyNorms(name)) ?? point.norms
        let levels = early.map { $0 / Double(max(1, size)).squareRoot() }
        var count = 0
        for (index, value) in values.enumerated() where abs(value) > excess * levels[index / size % heads] {
            count += 1
        }
        point.exceeding = Double(count) / Double(max(1, values.count))
        record(point, name: name, shape: Array(shape.dropFirst()), isBounded: values.allSatisfy { abs($0) <= 1 })
    }

    /// The norms at the last position up to the reference, else at the first.
    private func earlyNorms(_ name: String) -> [Double]? {
        guard let points = leaves.first(where: { $0.name == name })?.points else { return nil }
        return (points.last { $0.position <= reference } ?? points.first)?.norms
    }

    private mutating func record(_ point: Point, name: String, shape: [Int], isBounded: Bool) {
        guard let index = leaves.firstIndex(where: { $0.name == name }) else {
            return leaves.append(Leaf(name: name, shape: shape, isBounded: isBounded, points: [point]))
        }
        leaves[index].points.append(point)
        leaves[index].isBounded = leaves[index].isBounded && isBounded
    }

    private static func share(_ values: [Double], _ condition: (Double) -> Bool) -> Double {
        Double(values.count(where: condition)) / Double(max(1, values.count))
    }

    /// The names of the leaves and heads whose norm grew beyond a factor since the reference, the largest first: the mark
    /// of a state that overflows.
    public func growing(beyond factor: Double = 2) -> [(name: String, head: Int, growth: Double)] {
        leaves.flatMap { leaf in
            leaf.growth(from: reference).enumerated().map { (leaf.name, $0, $1) }
        }.filter { $0.2 > factor }.sorted { $0.2 > $1.2 }
    }
}
