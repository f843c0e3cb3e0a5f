#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Connectionist temporal classification (Graves et al., 2006): for every sequence -log p(labels), in nats, `[batch]`.
///
/// The logits `[batch, time, classes]` are scores of a label, or of the blank, at every frame. A path, one class a
/// frame, stands for the labels that are left when repetitions are merged and then blanks dropped; p(labels) is the sum
/// over all paths that stand for them. Computed in float64 and in logarithms, with the gradient at once.
///
/// Labels that need more frames than there are (one each, and one more between two equal ones) have no path: their loss
/// is infinite, or 0 if ``zeroInfinity``, and their gradient 0 in both cases.
public struct TemporalClassification: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "ctc"
    /// The labels of every sequence.
    public var targets: [[Int32]]
    /// The frames of every sequence that count; later ones have neither loss nor gradient.
    public var inputLengths: [Int]
    /// The class that stands for no label.
    public var blank: Int32
    /// Whether an infinite loss is replaced by 0.
    public var zeroInfinity: Bool
    /// Whether the gradient is made at once; off, only the loss is computed (evaluation).
    public var makesGradient: Bool

    /// Creates the operation.
    public init(
        targets: [[Int32]], inputLengths: [Int], blank: Int32 = 0, zeroInfinity: Bool = false,
        makesGradient: Bool = true
    ) {
        self.targets = targets
        self.inputLengths = inputLengths
        self.blank = blank
        self.zeroInfinity = zeroInfinity
        self.makesGradient = makesGradient
    }

    /// Refuses other shapes, lengths beyond the frames, and labels that are no class or the blank.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 1, inputs[0].rank == 3 else {
            throw RondoError(
                .shapeMismatch, "ctc: needs logits [batch, time, classes]; got shapes \(inputs.map(\.shape))")
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
        let (batch, time, classes) = (inputs[0].shape[0], inputs[0].shape[1], inputs[0].shape[2])
        guard targets.count == batch, inputLengths.count == batch else {
            throw RondoError(
                .shapeMismatch,
                "ctc: \(batch) sequences need as many targets and lengths; got \(targets.count) and \(inputLengths.count)"
            )
        }
        let range = 0..<Int32(clamping: classes)
        guard range.contains(blank) else {
            throw RondoError(.outOfRange, "ctc: the blank \(blank) lies outside 0..<\(classes)")
        }
        for (row, length) in inputLengths.enumerated() where !(0...time).contains(length) {
            throw RondoError(.outOfRange, "ctc: sequence \(row) has \(length) frames, which lies outside 0...\(time)")
        }
        for (row, labels) in targets.enumerated() {
            for label in labels where !range.contains(label) || label == blank {
                throw RondoError(
                    .outOfRange,
                    "ctc: label \(label) of sequence \(row) lies outside 0..<\(classes) or is the blank; "
                        + "leave out padding and blanks")
            }
        }
    }

    /// The labels with blanks around each, and for every place whether the label before last may precede it.
    private func lattice(_ row: Int) -> (symbols: [Int32], skips: [Bool]) {
        let symbols = targets[row].reduce(into: [blank]) { $0 += [$1, blank] }
        return (symbols, symbols.indices.map { $0 >= 2 && symbols[$0] != blank && symbols[$0] != symbols[$0 - 2] })
    }

    /// Whether the frames are enough for the labels.
    private func isPossible(_ row: Int) -> Bool {
        let labels = targets[row]
        return inputLengths[row] >= labels.count + zip(labels, labels.dropFirst()).count { $0 == $1 }
    }

    private var lossOfNoPath: Double { zeroInfinity ? 0 : .infinity }

    /// The forward recursion over the lattice.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let dtype = inputs[0].dtype
        guard !targets.isEmpty else { return [try Tensor.zeros([0], dtype: dtype)] }
        // As good as an infinity, but its differences are numbers.
        let never = -1e30
        let losses = try targets.indices.map { row in
            guard isPossible(row) else { return try Tensor.full([], lossOfNoPath, dtype: dtype) }
            guard inputLengths[row] > 0 else { return try Tensor.zeros([], dtype: dtype) }
            let (symbols, skips) = lattice(row)
            let frames = try inputs[0].selecting(0, row).sliced(0, 0..<inputLengths[row]).logSoftmax()
            let scores = try frames.transposed().takingRows(Tensor(symbols)).transposed()
            let mask = try Tensor(skips.map { $0 ? 0 : never }).cast(to: dtype)
            let start = try Tensor(symbols.indices.map { $0 < 2 ? 0 : never }).cast(to: dtype)
            var alpha = try scores.selecting(0, 0) + start
            for frame in 1..<max(1, inputLengths[row]) {
                let sources = try (0...2).map { distance in
                    let far = try Tensor.full([distance], never, dtype: dtype)
                    let moved = try Tensor.concatenate([far, alpha]).sliced(0, 0..<symbols.count)
                    return distance == 2 ? try moved + mask : moved
                }
                alpha = try Tensor.stack(sources, axis: -1).logSumExp() + scores.selecting(0, frame)
            }
            return try -alpha.sliced(0, max(0, symbols.count - 2)..<symbols.count).logSumExp()
        }
        return [try Tensor.stack(losses)]
    }

    /// The forward and the backward recursion of every sequence.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let logits = try inputs[0].dense()
        let losses = try Tensor.uninitialized([targets.count], logits.dtype)
        let gradient = try makesGradient ? Tensor.zeros(logits.shape, dtype: logits.dtype) : nil
        if logits.dtype == .float64 {
            run(Double.self, logits, losses, gradient)
        } else {
            run(Float.self, logits, losses, gradient)
        }
        return FusedResult(outputs: [losses], saved: gradient.map { [$0] } ?? [], retained: [])
    }

    private func run<Scalar: BinaryFloatingPoint>(
        _: Scalar.Type, _ logits: Tensor, _ losses: Tensor, _ gradient: Tensor?
    ) {
        let (time, classes) = (logits.shape[1], logits.shape[2])
        let work = time * (classes + 8 * (targets.map(\.count).max() ?? 0)) * 16
        parallelFor(targets.count, work: work) { row in
            let start = row * time * classes
            let x = logits.bytes.assumingMemoryBound(to: Scalar.self) + start
            let dx = gradient.map { $0.mutableBytes.assumingMemoryBound(to: Scalar.self) + start }
            losses.mutableBytes.assumingMemoryBound(to: Scalar.self)[row] = Scalar(loss(row, classes, x, dx))
        }
    }

    /// The loss of a sequence; its gradient, softmax minus the share of the paths through a class, if wanted.
    private func loss<Scalar: BinaryFloatingPoint>(
        _ row: Int, _ classes: Int, _ x: UnsafePointer<Scalar>, _ dx: UnsafeMutablePointer<Scalar>?
    ) -> Double {
        guard isPossible(row) else { return lossOfNoPath }
        let time = inputLengths[row]
        guard time > 0 else { return 0 }
        let (symbols, skips) = lattice(row)
        let count = symbols.count
        let partitions = (0..<time).map { frame in
            Self.logSum((0..<classes).lazy.map { Double(x[frame * classes + $0]) })
        }
        func score(_ frame: Int, _ place: Int) -> Double {
            Double(x[frame * classes + Int(symbols[place])]) - partitions[frame]
        }
        var alpha = [Double](repeating: -.infinity, count: time * count)
        for place in 0..<min(2, count) { alpha[place] = score(0, place) }
        for frame in 1..<max(1, time) {
            let (now, before) = (frame * count, (frame - 1) * count)
            for place in 0..<count {
                var sum = alpha[before + place]
                if place >= 1 { sum = Self.logSum(sum, alpha[before + place - 1]) }
                if skips[place] { sum = Self.logSum(sum, alpha[before + place - 2]) }
                alpha[now + place] = sum + score(frame, place)
            }
        }
        let total = alpha.suffix(min(2, count)).reduce(-.infinity, Self.logSum)
        if total == -.infinity { return lossOfNoPath }
        guard let dx else { return -total }
        // From here to the end, without the score of the frame itself.
        var beta = (0..<count).map { $0 >= count - 2 ? 0 : -Double.infinity }
        for frame in (0..<time).reversed() {
            var share = [Double](repeating: 0, count: classes)
            for place in 0..<count {
                share[Int(symbols[place])] += exp(alpha[frame * count + place] + beta[place] - total)
            }
            for index in 0..<classes {
                let probability = exp(Double(x[frame * classes + index]) - partitions[frame])
                dx[frame * classes + index] = Scalar(probability - share[index])
            }
            let next = beta.indices.map { beta[$0] + score(frame, $0) }
            for place in 0..<count {
                var sum = next[place]
                if place + 1 < count { sum = Self.logSum(sum, next[place + 1]) }
                if place + 2 < count, skips[place + 2] { sum = Self.logSum(sum, next[place + 2]) }
                beta[place] = sum
            }
        }
        return -total
    }

    /// log(eᵃ + eᵇ).
    private static func logSum(_ a: Double, _ b: Double) -> Double {
        if a == -.infinity { return b }
        if b == -.infinity { return a }
        return max(a, b) + log1p(exp(-abs(a - b)))
    }

    private static func logSum(_ values: some Sequence<Double>) -> Double {
        let largest = values.reduce(-.infinity) { max($0, $1) }
        guard largest.isFinite else { return largest }
        return largest + log(values.reduce(0) { $0 + exp($1 - largest) })
    }

    /// The saved gradient times the cotangent of its sequence.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = cotangents[0] else { return [nil] }
        guard let gradient = context.saved.first else {
            throw RondoError(.invalidArgument, "ctc: made without its gradient; set makesGradient")
        }
        return [try gradient * g.expanded(at: -1).expanded(at: -1)]
    }
}
