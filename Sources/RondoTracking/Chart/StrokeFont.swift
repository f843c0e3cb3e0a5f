/// A small font made of strokes, for printable ASCII.
///
/// Each glyph is a list of strokes on a grid whose capitals are 12 high; a point is two base-36 digits, x then y, with
/// the top at 0, the top of small letters at 4, the baseline at 12 and descenders down to 16. A stroke that starts with
/// `~` is a smooth curve through its points, others are straight.
enum StrokeFont {
    private static let capHeight = 12.0
    private static let letterGap = 3.2
    private static let spaceWidth = 4.0

    /// The width of a line of text.
    static func width(_ text: String, size: Double) -> Double {
        let advances = text.map { advance(of: $0) }.reduce(0, +)
        return max(0, advances - letterGap) * scale(size)
    }

    /// The strokes of a line of text whose baseline starts at the origin.
    static func strokes(_ text: String, size: Double) -> [[Position]] {
        let scale = scale(size)
        var pen = 0.0
        var result: [[Position]] = []
        for character in text {
            let glyph = strokes(of: character)
            let left = extent(glyph).lowerBound
            for stroke in glyph {
                result.append(stroke.map { Position((pen + $0.x - left) * scale, ($0.y - capHeight) * scale) })
            }
            pen += advance(of: character)
        }
        return result
    }

    /// Capitals take 0.72 of the size, as in common fonts.
    private static func scale(_ size: Double) -> Double { size * 0.72 / capHeight }

    private static func advance(of character: Character) -> Double {
        let extent = extent(strokes(of: character))
        return extent.upperBound - extent.lowerBound + letterGap
    }

    private static func extent(_ glyph: [[Position]]) -> ClosedRange<Double> {
        let columns = glyph.joined().map(\.x)
        guard let left = columns.min(), let right = columns.max() else { return 0...spaceWidth }
        return left...right
    }

    private static func strokes(of character: Character) -> [[Position]] {
        let index = Int(character.asciiValue ?? 0) - 32
        return glyphs.indices.contains(index) ? glyphs[index] : glyphs[Int(UInt8(ascii: "?")) - 32]
    }

    private static let glyphs: [[[Position]]] = descriptions.map { description in
        description.split(separator: " ").map { stroke in
            let digits = stroke.drop { $0 == "~" }.map { Double($0.wholeNumberOrLetterValue) }
            let points = stride(from: 0, to: digits.count - 1, by: 2).map { Position(digits[$0], digits[$0 + 1]) }
            return stroke.hasPrefix("~") ? smooth(points) : points
        }
    }

    /// A Catmull-Rom curve through the points, closed if the last one is the first.
    private static func smooth(_ points: [Position]) -> [Position] {
        guard let first = points.first, let last = points.last, points.count > 2 else { return points }
        let isClosed = first == last
        let padded = [isClosed ? points[points.count - 2] : first] + points + [isClosed ? points[1] : last]
        var curve = [first]
        for index in 1..<(padded.count - 2) {
            let (a, b, c, d) = (padded[index - 1], padded[index], padded[index + 1], padded[index + 2])
            for part in 1...6 {
                let t = Double(part) / 6
                func blend(_ a: Double, _ b: Double, _ c: Double, _ d: Double) -> Double {
                    let cubic = 3 * (b - c) + d - a
                    return b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * cubic))
                }
                curve.append(Position(blend(a.x, b.x, c.x, d.x), blend(a.y, b.y, c.y, d.y)))
            }
        }
        return curve
    }

    private static let descriptions: [String] = [
        "", "4048 4b4c", "3034 6064", "202c 606c 0484 0888",  // space ! " #
        "~826020032666896c2c0a 4a4e", "800c ~2042240220 ~688a6c4a68", "~8c24214062181b3c6b87", "4044",  // $ % & '
        "~6034396d", "~2054592d", "4149 1377 1773", "424a 0686",  // ( ) * +
        "4b4c3e", "1777", "4b4c", "800d",  // , - . /
        "~4072867a4c1a061240", "12404c", "~0320608367 670c8c", "~0220608356 ~56896c2c0a 3656",  // 0 1 2 3
        "6c600888", "701005 ~0544886c2c0a", "~714013082c6c88653508", "00803c",  // 4 5 6 7
        "~4073461340 ~46894c0946", "~1b4c7984602004275784", "4546 4b4c", "4546 4b4c3e",  // 8 9 : ;
        "72177c", "0585 0989", "12771c", "~0220608347 4748 4b4c",  // < = > ?
        "~7b4c1a06124072867867 ~6443264866", "0c408c 2868", "50000c5c 0656 ~508356 ~56895c",  // @ A B
        "~825021062b5c8a", "40000c4c ~4072867a4c", "80000c8c 0666", "80000c 0666",  // C D E F
        "~825021062b5c8a 8a8757", "000c 808c 0686", "404c", "7078 ~786b4c1b09",  // G H I J
        "000c 8008 358c", "000c8c", "0c0047808c", "0c008c80", "~4083894c090340",  // K L M N O
        "0c0050 0757 ~508357", "~4083894c090340 598d", "0c0050 0757 ~508357 478c",  // P Q R
        "~826020032666896c2c0a", "0080 404c", "0008 8880 ~081b4c7b88", "004c80",  // S T U V
        "002c426c80", "008c 800c", "004680 464c", "00800c8c",  // W X Y Z
        "60303d6d", "008d", "20505d2d", "144074", "0d8d", "3052",  // [ \ ] ^ _ `
        "747c ~764415081b4c7a", "000c ~063465786b3c0a", "~764415081b4c7a", "707c ~764415081b4c7a",  // a b c d
        "0878 ~78653415081b4c7a", "~604033 333c 1464", "747d ~764415081b4c7a ~7d6f3g1f",  // e f g
        "000c ~07346578 787c", "040c 0001", "343d ~3d2f0g 3031", "000c 6409 276c", "000c",  // h i j k l
        "040c ~07244558 585c ~577495a8 a8ac", "040c ~07346578 787c", "~4475887b4c1b081544",  // m n o
        "040g ~063465786b3c0a", "747g ~764415081b4c7a", "040c ~081544", "~65340617596b3c0b",  // p q r s
        "212a ~2a3c5c 0454", "0408 ~081b4c7a 747c", "043c64", "042c456c84",  // t u v w
        "046c 640c", "043c 643c1g", "04640c6c", "~60414526 ~26484c6d",  // x y z {
        "404d", "~20414566 ~66484c2d", "~07255775",  // | } ~
    ]
}

extension Character {
    /// The value of a base-36 digit; zero for anything else.
    fileprivate var wholeNumberOrLetterValue: Int { Int(String(self), radix: 36) ?? 0 }
}
