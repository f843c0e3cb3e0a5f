/// The mean of what followed earlier occurrences of the last N symbols: attention of n-gram heads (Akyürek et al.,
/// "In-Context Language Learning", 2024).
///
/// With S = P + T positions, the P of the prefix before the T of the present, and their symbols s, position t takes the
/// mean over the places right after earlier occurrences of its last N symbols:
///
///     o[b, t] = mean of v[b, j] over the j < t with s[b, j - 1 - k] = s[b, t - k] for k = 0 ... N - 1
///
/// and zero where there are none. Inputs: v `[batch, S, D]` and s `[batch, S]`, whole numbers of the same type. Output:
/// o `[batch, T, D]`. No derivative flows to s. What a position does not take has no influence, even if it is NaN.
///
/// The kernel keeps, for every position, the sum of all values up to it that followed the same N symbols, so that time
/// and memory are linear in S.
public struct NGramMean: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "nGramMean"
    /// N, the symbols that must be the same.
    public var order: Int
    /// T, the number of positions asked, at the end.
    public var time: Int

    /// Creates the operation.
    ///
    /// - Parameters:
    ///   - order: N, the symbols that must be the same.
    ///   - time: T, the number of positions asked, at the end.
    public init(order: Int, time: Int) {
        self.order = order
        self.time = time
    }

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 2, inputs[0].rank == 3, inputs[1].shape == Shape(inputs[0].shape.prefix(2)),
            inputs[0].dtype == inputs[1].dtype, order >= 1, (0...inputs[0].shape[1]).contains(time)
        else {
            throw RondoError(
                .shapeMismatch,
                "\(Self.name): needs values [batch, S, D] and symbols [batch, S] of one type, an order of 1 or more and at most S positions asked; got \(inputs.map(\.shape)), order \(order), \(time) positions"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// Position by position, with the places gathered.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let (batch, length, width) = (inputs[0].shape[0], inputs[0].shape[1], inputs[0].shape[2])
        let symbols = try Self.wholeNumbers(inputs[1])
        guard batch > 0, time > 0 else { return [try Tensor.zeros([batch, time, width], dtype: inputs[0].dtype)] }
        let rows = try (0..<batch).map { row in
            let values = try inputs[0].selecting(0, row)
            let own = Array(symbols[row * length..<(row + 1) * length])
            return try Tensor.stack(
                try (length - time..<length).map { t in
                    let places = matches(own, t)
                    guard !places.isEmpty else { return try Tensor.zeros([width], dtype: values.dtype) }
                    return try values.takingRows(Tensor(places.map { Int32($0) })).mean([0])
                })
        }
        return [try Tensor.stack(rows)]
    }

    /// The places right after earlier occurrences of the N symbols that end at t.
    private func matches(_ symbols: [Int32], _ t: Int) -> [Int] {
        guard t >= order else { return [] }
        return (order..<t).filter { j in (0..<order).allSatisfy { symbols[j - 1 - $0] == symbols[t - $0] } }
    }

    private static func wholeNumbers(_ symbols: Tensor) throws -> [Int32] {
        try symbols.cast(to: .float64).array(of: Double.self).map { Int32(exactly: $0.rounded()) ?? -1 }
    }

    /// Rows side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let values = try inputs[0].dense()
        let (batch, length, width) = (values.shape[0], values.shape[1], values.shape[2])
        let symbols = try Self.wholeNumbers(inputs[1])
        let output = try Tensor.uninitialized([batch, time, width], values.dtype)
        // A single position needs no table of all others.
        let isStep = time == 1
        let links = isStep ? [] : Self.links(symbols, rows: batch, order: order)
        func run<Element: BinaryFloatingPoint>(_ type: Element.Type) {
            parallelFor(batch, work: length * width) { row in
                let source = (values.bytes.assumingMemoryBound(to: type)) + row * length * width
                let target = (output.mutableBytes.assumingMemoryBound(to: type)) + row * time * width
                if isStep {
                    let own = Array(symbols[row * length..<(row + 1) * length])
                    Self.mean(of: matches(own, length - 1), source, target, width)
                } else {
                    Self.means(links[row], time: time, source, target, width)
                }
            }
        }
        if values.dtype == .float64 { run(Double.self) } else { run(Float.self) }
        return FusedResult(outputs: [output], retained: [.inputs])
    }

    /// Backwards in time: a running sum hands its derivative to its value and to the sum before.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = try cotangents[0]?.dense(), context.wanted[0] else { return [nil, nil] }
        let shape = context.inputs[0].shape
        let (batch, length, width) = (shape[0], shape[1], shape[2])
        let links = Self.links(try Self.wholeNumbers(context.inputs[1]), rows: batch, order: order)
        let result = try Tensor.zeros(shape, dtype: g.dtype).copied()
        func run<Element: BinaryFloatingPoint>(_ type: Element.Type) {
            parallelFor(batch, work: length * width) { row in
                Self.pullBack(
                    links[row], time: time, (g.bytes.assumingMemoryBound(to: type)) + row * time * width,
                    (result.mutableBytes.assumingMemoryBound(to: type)) + row * length * width, width)
            }
        }
        if g.dtype == .float64 { run(Double.self) } else { run(Float.self) }
        return [result, nil]
    }
}

extension NGramMean {
    /// How a position hangs together with others; -1 where there is none.
    private struct Link {
        /// The last earlier place that followed this position's N symbols.
        var match = -1
        /// The last earlier place that followed the same N symbols as this position.
        var previous = -1
        /// How many places up to this one followed the same N symbols.
        var count = 0
    }

    private struct Pair: Hashable {
        var (first, second): (Int32, Int32)
    }

    /// The links of every row.
    private static func links(_ symbols: [Int32], rows: Int, order: Int) -> [[Link]] {
        let length = rows == 0 ? 0 : symbols.count / rows
        return (0..<rows).map { row in links(Array(symbols[row * length..<(row + 1) * length]), order: order) }
    }

    private static func links(_ symbols: [Int32], order: Int) -> [Link] {
        let grams = grams(symbols, order: order)
        var latest = Array(repeating: -1, count: Int(grams.max() ?? -1) + 1)
        var links = Array(repeating: Link(), count: symbols.count)
        for place in symbols.indices {
            if grams[place] >= 0 { links[place].match = latest[Int(grams[place])] }
            guard place > 0, grams[place - 1] >= 0 else { continue }
            let before = latest[Int(grams[place - 1])]
            links[place].previous = before
            links[place].count = 1 + (before >= 0 ? links[before].count : 0)
            latest[Int(grams[place - 1])] = place
        }
        return links
    }

    /// A number for the N symbols that end at every position, equal if they are; -1 where there are fewer.
    private static func grams(_ symbols: [Int32], order: Int) -> [Int32] {
        var grams = Array(repeating: Int32(0), count: symbols.count)
        for length in 1...order {
            var known: [Pair: Int32] = [:]
            var before: Int32 = 0
            for place in symbols.indices {
                let shorter = grams[place]
                let prefix = length == 1 ? 0 : before
                before = shorter
                guard place >= length - 1 else {
                    grams[place] = -1
                    continue
                }
                let pair = Pair(first: prefix, second: symbols[place])
                let number = known[pair] ?? Int32(known.count)
                known[pair] = number
                grams[place] = number
            }
        }
        return grams
    }

    private static func mean<Element: BinaryFloatingPoint>(
        of places: [Int], _ values: UnsafePointer<Element>, _ target: UnsafeMutablePointer<Element>, _ width: Int
    ) {
        target.initialize(repeating: 0, count: width)
        let share = 1 / Element(max(1, places.count))
        for place in places { add(values + place * width, to: target, width) }
        for channel in 0..<width { target[channel] *= share }
    }

    private static func means<Element: BinaryFloatingPoint>(
        _ links: [Link], time: Int, _ values: UnsafePointer<Element>, _ target: UnsafeMutablePointer<Element>,
        _ width: Int
    ) {
        let prefix = links.count - time
        withUnsafeTemporaryAllocation(of: Element.self, capacity: max(1, links.count * width)) { sums in
            guard let sums = sums.baseAddress else { return }
            for (place, link) in links.enumerated() {
                if place >= prefix {
                    let row = target + (place - prefix) * width
                    row.initialize(repeating: 0, count: width)
                    if link.match >= 0 {
                        let share = 1 / Element(links[link.match].count)
                        let sum = sums + link.match * width
                        for channel in 0..<width { row[channel] = sum[channel] * share }
                    }
                }
                (sums + place * width).update(from: values + place * width, count: width)
                if link.previous >= 0 { add(sums + link.previous * width, to: sums + place * width, width) }
            }
        }
    }

    private static func pullBack<Element: BinaryFloatingPoint>(
        _ links: [Link], time: Int, _ g: UnsafePointer<Element>, _ result: UnsafeMutablePointer<Element>, _ width: Int
    ) {
        let prefix = links.count - time
        for (place, link) in links.enumerated().reversed() {
            if place >= prefix, link.match >= 0 {
                let share = 1 / Element(links[link.match].count)
                let (row, sum) = (g + (place - prefix) * width, result + link.match * width)
                for channel in 0..<width { sum[channel] += row[channel] * share }
            }
            if link.previous >= 0 { add(result + place * width, to: result + link.previous * width, width) }
        }
    }

    private static func add<Element: BinaryFloatingPoint>(
        _ values: UnsafePointer<Element>, to target: UnsafeMutablePointer<Element>, _ width: Int
    ) {
        for channel in 0..<width { target[channel] += values[channel] }
    }
}
