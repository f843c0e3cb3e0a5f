import RondoIO

/// One point of a curve.
public struct CurvePoint: Sendable, Equatable {
    /// The training step, or whatever runs along the horizontal axis.
    public var step: Double
    /// The value.
    public var value: Double

    /// Creates a point.
    ///
    /// - Parameters:
    ///   - step: The training step.
    ///   - value: The value; points that are not finite or beyond 1e100 are not drawn.
    public init(_ step: Double, _ value: Double) {
        self.step = step
        self.value = value
    }
}

/// A picture of curves, above all of loss over training steps, as SVG, PNG or text.
public struct LossChart: Sendable {
    /// A curve and how to show it.
    public struct Series: Sendable {
        /// How a curve is shown.
        public enum Style: Sendable {
            /// A thin line through all values and a bold one through their running mean, for noisy training losses.
            case smoothed
            /// The running mean alone, where there are many curves.
            case mean
            /// A line with a dot at each value, for validation results.
            case points
            /// Dots alone, for points in no order.
            case scatter
            /// Bars that stand on zero (on the lower edge of a logarithmic axis), for shares of ranges: steps are the
            /// middles of ranges of one width.
            case bars
        }

        /// The name in the legend.
        public var name: String
        /// The points by rising step.
        public var points: [CurvePoint]
        /// How it is shown.
        public var style: Style

        /// Creates a curve.
        ///
        /// - Parameters:
        ///   - name: The name in the legend.
        ///   - points: The points by rising step.
        ///   - style: How it is shown.
        public init(name: String, points: [CurvePoint], style: Style) {
            self.name = name
            self.points = points
            self.style = style
        }
    }

    /// The line above the picture.
    public var title: String
    /// What runs along the horizontal axis.
    public var xLabel: String
    /// What the values are, with their unit.
    public var yLabel: String
    /// Whether the vertical axis is logarithmic; values up to zero are then not drawn.
    public var isLogarithmic: Bool
    /// Whether the horizontal axis is logarithmic; points at steps up to zero are then not drawn.
    public var isXLogarithmic = false
    /// The curves; the first twelve have colours of their own.
    public var series: [Series]

    /// Creates a chart.
    ///
    /// - Parameters:
    ///   - title: The line above the picture.
    ///   - xLabel: What runs along the horizontal axis.
    ///   - yLabel: What the values are, with their unit.
    ///   - isLogarithmic: Whether the vertical axis is logarithmic.
    ///   - series: The curves.
    public init(
        title: String, xLabel: String = "step", yLabel: String = "bits per byte", isLogarithmic: Bool = false,
        series: [Series]
    ) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.isLogarithmic = isLogarithmic
        self.series = series
    }

    /// The picture as a self-contained SVG document that follows the reader's light or dark theme.
    ///
    /// - Returns: The document's text.
    public func svg() -> String { SVG.render(drawing(), title: title) }

    /// The same picture as a PNG file on a light background.
    ///
    /// - Parameter scale: Pixels per unit; at 2 the picture is 1,600 pixels wide.
    /// - Returns: The file's bytes.
    /// - Throws: `RondoError` if compression fails.
    public func png(scale: Double = 2) throws -> [UInt8] {
        let canvas = Canvas(drawing(), scale: scale)
        return try PNG.encode(width: canvas.width, height: canvas.height, pixels: canvas.pixels)
    }

    /// Several charts in one picture, in two columns.
    ///
    /// - Parameters:
    ///   - charts: The charts, row by row.
    ///   - path: Where the picture goes: an SVG document if it ends in `.svg`, else a PNG file.
    /// - Throws: `RondoError` that names the file.
    public static func write(_ charts: [LossChart], to path: String) throws {
        let drawing = Drawing(panels: charts.map { $0.drawing() }, columns: 2)
        if path.hasSuffix(".svg") {
            return try AtomicFile.write(
                SVG.render(drawing, title: charts.map(\.title).joined(separator: ", ")), to: path)
        }
        let canvas = Canvas(drawing, scale: 2)
        try AtomicFile.write(
            PNG.encode(width: canvas.width, height: canvas.height, pixels: canvas.pixels), to: path)
    }

    /// Writes both pictures of a run.
    ///
    /// - Parameter folder: The run's folder.
    /// - Throws: `RondoError` that names the file.
    public func write(to folder: RunFolder) throws {
        try AtomicFile.write(svg(), to: folder.lossSVGPath)
        try AtomicFile.write(png(), to: folder.lossPNGPath)
    }

    /// The curves with only those points that can be drawn.
    var drawable: [Series] {
        series.map { curve in
            var curve = curve
            curve.points.removeAll { point in
                // The comparisons are false for NaN; the bound keeps differences finite.
                !(abs(point.step) < 1e100 && abs(point.value) < 1e100) || (isLogarithmic && point.value < 1e-100)
                    || (isXLogarithmic && point.step < 1e-100)
            }
            return curve
        }
    }
}

extension [CurvePoint] {
    /// The mean over about a fiftieth of the curve around each point, so that a falling curve is not delayed.
    func smoothed() -> [CurvePoint] {
        let reach = count / 100
        var sums = [0.0]
        for point in self { sums.append(sums[sums.count - 1] + point.value) }
        return indices.map { index in
            let (start, end) = (Swift.max(0, index - reach), Swift.min(count, index + reach + 1))
            return CurvePoint(self[index].step, (sums[end] - sums[start]) / Double(end - start))
        }
    }

    /// At most about `limit` points: of each stretch the lowest and the highest, in their order.
    func thinned(to limit: Int) -> [CurvePoint] {
        guard count > limit, limit > 3 else { return self }
        let stretches = limit / 2
        var result: [CurvePoint] = []
        for stretch in 0..<stretches {
            let range = (stretch * count / stretches)..<((stretch + 1) * count / stretches)
            guard let low = range.min(by: { self[$0].value < self[$1].value }),
                let high = range.max(by: { self[$0].value < self[$1].value })
            else { continue }
            result += low == high ? [self[low]] : [self[Swift.min(low, high)], self[Swift.max(low, high)]]
        }
        return result
    }
}
