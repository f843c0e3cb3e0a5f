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
    case fifth
    case sixth
    case seventh
    case eighth
    case ninth
    case tenth
    case eleventh
    case twelfth

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
        case .fifth: 0x0E9AA7
        case .sixth: 0xC2185B
        case .seventh: 0x8D6E1F
        case .eighth: 0x5C6BC0
        case .ninth: 0x6D8C00
        case .tenth: 0x795548
        case .eleventh: 0xE08E00
        case .twelfth: 0x455A64
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
        case .fifth: 0x4FD0DB
        case .sixth: 0xF06A9B
        case .seventh: 0xD0B35A
        case .eighth: 0x9FA8F0
        case .ninth: 0xB7D64A
        case .tenth: 0xBC9A8C
        case .eleventh: 0xFFC04D
        case .twelfth: 0x9DB2BD
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
        /// A rectangle between its upper left and its lower right corner, which what lies below shines through.
        case area(Position, Position, opacity: Double, Ink)
        /// Text whose baseline starts, is centred or ends at a position; upwards if rotated.
        case text(String, Position, size: Double, Anchor, isRotated: Bool, Ink)
    }

    var width: Double
    var height: Double
    var elements: [Element] = []

    /// Drawings of one size in rows of some columns, as one.
    init(panels: [Drawing], columns: Int) {
        let (width, height) = (panels.first?.width ?? 0, panels.first?.height ?? 0)
        let across = min(columns, max(1, panels.count))
        self.init(
            width: width * Double(across), height: height * Double((panels.count + across - 1) / max(1, across)))
        for (index, panel) in panels.enumerated() {
            let shift = Position(width * Double(index % across), height * Double(index / across))
            elements += panel.elements.map { $0.moved(by: shift) }
        }
    }

    init(width: Double, height: Double) {
        self.width = width
        self.height = height
    }
}

extension Drawing.Element {
    /// The same shape elsewhere.
    fileprivate func moved(by shift: Position) -> Drawing.Element {
        func moved(_ position: Position) -> Position { Position(position.x + shift.x, position.y + shift.y) }
        switch self {
        case .line(let points, let width, let ink): return .line(points.map(moved), width: width, ink)
        case .disc(let center, let radius, let ink): return .disc(moved(center), radius: radius, ink)
        case .area(let first, let second, let opacity, let ink):
            return .area(moved(first), moved(second), opacity: opacity, ink)
        case .text(let text, let origin, let size, let anchor, let isRotated, let ink):
            return .text(text, moved(origin), size: size, anchor, isRotated: isRotated, ink)
        }
    }
}
