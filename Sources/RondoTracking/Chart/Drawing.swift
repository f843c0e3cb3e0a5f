/// A point on the drawing surface, from the upper left corner, in units of which a PNG shows several pixels.
struct Position: Sendable, Equatable {
    var x: Double
    var y: Double

    init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
    }
}

/// What a colour is for; each theme has its own value.
enum Ink: Sendable, Hashable, CaseIterable {
    case background
    case grid
    case axis
    case text
    case first
    case firstFaint
    case second
    case third
    case fourth

    /// Red, green and blue on a light background.
    var light: UInt32 {
        switch self {
        case .background: 0xFFFFFF
        case .grid: 0xE3E6EA
        case .axis: 0x8A929B
        case .text: 0x2B323A
        case .first: 0x1F6FC5
        case .firstFaint: 0xB5D0EE
        case .second: 0xD9541E
        case .third: 0x2E9245
        case .fourth: 0x8A4FB5
        }
    }

    /// Red, green and blue on a dark background.
    var dark: UInt32 {
        switch self {
        case .background: 0x16191D
        case .grid: 0x2C3238
        case .axis: 0x77808A
        case .text: 0xD7DCE1
        case .first: 0x5AA5F2
        case .firstFaint: 0x2B4A6B
        case .second: 0xF58A55
        case .third: 0x5FC579
        case .fourth: 0xBE8CE6
        }
    }
}

/// A picture as a list of simple shapes, from back to front, which SVG and PNG show alike.
struct Drawing: Sendable {
    enum Anchor: Sendable {
        case start
        case middle
        case end
    }

    enum Element: Sendable {
        case line([Position], width: Double, Ink)
        case disc(Position, radius: Double, Ink)
        /// Text whose baseline starts, is centred or ends at a position; upwards if rotated.
        case text(String, Position, size: Double, Anchor, isRotated: Bool, Ink)
    }

    var width: Double
    var height: Double
    var elements: [Element] = []
}
