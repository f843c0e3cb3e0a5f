extension LossChart {
    /// Lays the chart out as simple shapes.
    func drawing() -> Drawing { ChartLayout(self).drawing }
}

/// Places the parts of a chart, from back to front.
private struct ChartLayout {
    private static let inks: [Ink] = [
        .first, .second, .third, .fourth, .fifth, .sixth, .seventh, .eighth, .ninth, .tenth, .eleventh, .twelfth,
    ]
    private static let (left, right, top, bottom) = (78.0, 24.0, 54.0, 58.0)

    let chart: LossChart
    let series: [LossChart.Series]
    let xAxis: Axis
    let yAxis: Axis
    private(set) var drawing = Drawing(width: 800, height: 450)

    init(_ chart: LossChart) {
        self.chart = chart
        series = chart.drawable
        let points = series.flatMap(\.points)
        let bars = series.filter { $0.style == .bars }
        // Bars reach half their width beyond their points, and down to zero.
        let reach = bars.compactMap { Self.barWidth($0) }.max() ?? 0
        let ends = bars.flatMap(\.points).flatMap { [$0.step - reach / 2, $0.step + reach / 2] }
        xAxis = Axis(
            values: points.map(\.step) + ends.filter { !chart.isXLogarithmic || $0 > 0 },
            isLogarithmic: chart.isXLogarithmic, isTight: true, tickCount: 8)
        let floor = bars.isEmpty || chart.isLogarithmic ? [] : [0.0]
        yAxis = Axis(values: points.map(\.value) + floor, isLogarithmic: chart.isLogarithmic, tickCount: 6)
        drawGrid()
        drawLabels()
        // Validation dots lie above training lines whatever the order of the curves.
        for (index, curve) in series.enumerated() where curve.style == .bars { draw(curve, index) }
        for (index, curve) in series.enumerated() where ![.points, .bars].contains(curve.style) { draw(curve, index) }
        for (index, curve) in series.enumerated() where curve.style == .points { draw(curve, index) }
        drawLegend()
    }

    private func position(_ point: CurvePoint) -> Position {
        Position(x(xAxis.fraction(point.step)), y(yAxis.fraction(point.value)))
    }

    private func x(_ fraction: Double) -> Double { Self.left + fraction * (drawing.width - Self.left - Self.right) }

    private func y(_ fraction: Double) -> Double {
        drawing.height - Self.bottom - fraction * (drawing.height - Self.top - Self.bottom)
    }

    private mutating func line(_ points: [Position], _ width: Double, _ ink: Ink) {
        drawing.elements.append(.line(points, width: width, ink))
    }

    private mutating func text(
        _ text: String, _ x: Double, _ y: Double, size: Double = 12.5, _ anchor: Drawing.Anchor,
        isRotated: Bool = false
    ) {
        drawing.elements.append(.text(text, Position(x, y), size: size, anchor, isRotated: isRotated, .text))
    }

    private mutating func drawGrid() {
        for tick in yAxis.ticks {
            let height = y(yAxis.fraction(tick.value))
            line([Position(x(0), height), Position(x(1), height)], 1, .grid)
            text(tick.label, x(0) - 9, height + 4.5, .end)
        }
        for tick in xAxis.ticks {
            let across = x(xAxis.fraction(tick.value))
            line([Position(across, y(0)), Position(across, y(1))], 1, .grid)
            line([Position(across, y(0)), Position(across, y(0) + 5)], 1.2, .axis)
            text(tick.label, across, y(0) + 20, .middle)
        }
        line([Position(x(0), y(1)), Position(x(0), y(0)), Position(x(1), y(0))], 1.2, .axis)
    }

    private mutating func drawLabels() {
        text(chart.title, x(0), 30, size: 17, .start)
        text(chart.xLabel, x(0.5), drawing.height - 14, size: 13.5, .middle)
        let yLabel = chart.isLogarithmic ? chart.yLabel + " (log scale)" : chart.yLabel
        text(yLabel, 24, y(0.5), size: 13.5, .middle, isRotated: true)
        if series.allSatisfy(\.points.isEmpty) { text("no values yet", x(0.5), y(0.5), size: 15, .middle) }
    }

    private func ink(_ index: Int) -> Ink { Self.inks[index % Self.inks.count] }

    private mutating func draw(_ curve: LossChart.Series, _ index: Int) {
        switch curve.style {
        case .mean:
            line(curve.points.smoothed().thinned(to: 1400).map(position), 2, ink(index))
        case .smoothed:
            let faint: Ink = index == 0 ? .firstFaint : .grid
            line(curve.points.thinned(to: 1400).map(position), 1, faint)
            line(curve.points.smoothed().thinned(to: 1400).map(position), 2.2, ink(index))
        case .scatter:
            for position in curve.points.map(position) {
                drawing.elements.append(.disc(position, radius: curve.points.count > 200 ? 1.6 : 2.6, ink(index)))
            }
        case .bars:
            drawBars(curve, index)
        case .points:
            let positions = curve.points.map(position)
            line(positions, 1.4, ink(index))
            for position in positions.suffix(400) {
                drawing.elements.append(.disc(position, radius: positions.count > 60 ? 2 : 3.4, ink(index)))
            }
        }
    }

    private mutating func drawBars(_ curve: LossChart.Series, _ index: Int) {
        guard let width = Self.barWidth(curve) else { return }
        for point in curve.points {
            let left = x(max(0, xAxis.fraction(point.step - width / 2)))
            let right = x(min(1, xAxis.fraction(point.step + width / 2)))
            let (top, bottom) = (position(point).y, y(chart.isLogarithmic ? 0 : yAxis.fraction(0)))
            drawing.elements.append(
                .area(
                    Position(left, min(top, bottom)), Position(right, max(top, bottom)),
                    opacity: series.count > 1 ? 0.45 : 0.75, ink(index)))
        }
    }

    /// The distance of neighbouring points; `nil` if there is none.
    private static func barWidth(_ curve: LossChart.Series) -> Double? {
        guard !curve.points.isEmpty else { return nil }
        let distances = zip(curve.points, curve.points.dropFirst()).map { $1.step - $0.step }.filter { $0 > 0 }
        return distances.min() ?? 1
    }

    /// In the upper right corner, where falling curves leave room.
    private mutating func drawLegend() {
        let named = series.enumerated().map { index, curve in
            (index: index, style: curve.style, text: Self.legend(curve))
        }
        let width = named.map { StrokeFont.width($0.text, size: 13) }.max() ?? 0
        for (row, entry) in named.enumerated() {
            let height = y(1) + 18 + Double(row) * 21
            let start = x(1) - width - 52
            if entry.style != .scatter {
                line([Position(start, height), Position(start + 28, height)], 2.2, ink(entry.index))
            }
            if entry.style == .points || entry.style == .scatter {
                drawing.elements.append(.disc(Position(start + 14, height), radius: 3.4, ink(entry.index)))
            }
            text(entry.text, start + 38, height + 4.6, size: 13, .start)
        }
    }

    /// The name, and the last value where the order of points means something.
    private static func legend(_ curve: LossChart.Series) -> String {
        guard curve.style != .scatter, curve.style != .bars else { return curve.name }
        let last = (curve.style == .points ? curve.points : curve.points.smoothed()).last
        return last.map { "\(curve.name)  \(Axis.fixed($0.value, decimals: 3))" } ?? curve.name
    }
}
