/// A Unicode normalization form (Unicode standard annex 15).
enum NormalizationForm: Sendable {
    case nfc
    case nfd
    case nfkc
    case nfkd

    private var isCompatible: Bool { self == .nfkc || self == .nfkd }
    private var composes: Bool { self == .nfc || self == .nfkc }

    /// The form of a well-formed text.
    ///
    /// ASCII characters never change and never attach to what is before them, so only the stretches between them,
    /// each with the ASCII character before it, are looked at closely.
    func applied(to text: [UInt8]) -> [UInt8] {
        guard let first = text.firstIndex(where: { $0 >= 0x80 }) else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 8)
        var scalars: [UInt32] = []
        text.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            var copied = 0
            var index = first
            while index < buffer.count {
                let start = max(copied, index - 1)
                result += buffer[copied..<start]
                var end = start
                scalars.removeAll(keepingCapacity: true)
                while end < buffer.count, bytes[end] >= 0x80 || end == start {
                    let (scalar, length) = UTF8Text.scalar(bytes, at: end, end: buffer.count)
                    Decompositions.shared.appendDecomposition(of: scalar, compatibly: isCompatible, to: &scalars)
                    end += length
                }
                finish(&scalars)
                for scalar in scalars { UTF8Text.append(scalar, to: &result) }
                copied = end
                index = end
                while index < buffer.count, bytes[index] < 0x80 { index += 1 }
            }
            result += buffer[copied...]
        }
        return result
    }

    /// How many characters the first character of a text becomes.
    func length(ofFirst text: [UInt8]) -> Int {
        guard let first = String(decoding: text.prefix(4), as: UTF8.self).unicodeScalars.first else { return 1 }
        var scalars: [UInt32] = []
        Decompositions.shared.appendDecomposition(of: first.value, compatibly: isCompatible, to: &scalars)
        return scalars.count
    }

    private func finish(_ scalars: inout [UInt32]) {
        Self.order(&scalars)
        if composes { Self.compose(&scalars) }
    }

    /// Puts the combining marks behind each character in their canonical order.
    private static func order(_ scalars: inout [UInt32]) {
        var start = 0
        while start < scalars.count {
            guard Decompositions.shared.combiningClass(scalars[start]) != 0 else {
                start += 1
                continue
            }
            var end = start + 1
            while end < scalars.count, Decompositions.shared.combiningClass(scalars[end]) != 0 { end += 1 }
            if end - start > 1 {
                // Equal classes must keep their order; sorting by position as well keeps long runs fast.
                let keyed = scalars[start..<end].enumerated().map {
                    (Decompositions.shared.combiningClass($0.element), $0.offset, $0.element)
                }
                let sorted = keyed.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
                for (offset, mark) in sorted.enumerated() { scalars[start + offset] = mark.2 }
            }
            start = end
        }
    }

    private static func compose(_ scalars: inout [UInt32]) {
        var starter: Int?
        var lastClass: UInt8 = 0
        var count = 0
        for scalar in scalars {
            let combiningClass = Decompositions.shared.combiningClass(scalar)
            if let position = starter {
                let isAdjacent = position == count - 1
                let isReachable = isAdjacent || (lastClass < combiningClass && lastClass != 0)
                if isReachable, let composite = Decompositions.shared.composite(scalars[position], scalar) {
                    scalars[position] = composite
                    continue
                }
            }
            scalars[count] = scalar
            if combiningClass == 0 { starter = count }
            lastClass = combiningClass
            count += 1
        }
        scalars.removeLast(scalars.count - count)
    }
}
