/// A counter-based random generator (Philox4x32-10): a value whose draws depend only on its seed, stream and
/// position, never on threads or on the order in which pieces are made.
///
/// Copying a generator repeats its draws; ``split()`` makes independent ones.
public struct Generator: Sendable, Equatable, Codable {
    /// The seed all streams derive from.
    public let seed: UInt64
    /// The stream's number: different streams of one seed are independent.
    public let stream: UInt64
    /// How many 32-bit draws have been used.
    public private(set) var position: UInt64
    /// How many streams have been split off.
    private var children: UInt64 = 0
    /// Whether draws are zeros that take no memory: for models whose parameters a file replaces.
    package private(set) var drawsZeros = false
    /// Whether only names and shapes count, so that constants of the mathematics need not be computed either.
    package private(set) var isOutline = false

    /// `drawsZeros` and `isOutline` are no part of a saved generator.
    private enum CodingKeys: String, CodingKey { case seed, stream, position, children }

    /// Creates the generator of a seed and stream, at its beginning.
    public init(seed: UInt64, stream: UInt64 = 0) {
        self.seed = seed
        self.stream = stream
        self.position = 0
    }

    /// A generator whose tensors are zeros without memory of their own.
    ///
    /// A model made with it has the names and shapes of its parameters, which a file then replaces, at no cost.
    public static var placeholder: Generator {
        var generator = Generator(seed: 0)
        generator.drawsZeros = true
        return generator
    }

    /// A placeholder for a model that nobody will use: it only has the names and shapes of its parameters.
    ///
    /// What a configuration claims can so be compared with a file before anything is computed for it.
    public static var outline: Generator {
        var generator = placeholder
        generator.isOutline = true
        return generator
    }

    /// Reserves `count` draws (rounded up to whole Philox blocks of four) and returns the position of the first.
    mutating func reserve(_ count: Int) -> UInt64 {
        defer { position += (UInt64(count) + 3) & ~3 }
        return position
    }

    /// Makes a generator on a stream of its own; successive calls give different ones.
    public mutating func split() -> Generator {
        children += 1
        return Generator(seed: seed, stream: Self.mixed(stream, children))
    }

    /// The number of a stream that belongs to two words: a bijective mixing (the finaliser of SplitMix64).
    package static func mixed(_ stream: UInt64, _ child: UInt64) -> UInt64 {
        var z = stream &+ child &* 0x9e37_79b9_7f4a_7c15
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
