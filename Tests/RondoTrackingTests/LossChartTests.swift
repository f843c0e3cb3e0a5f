import CZlib
import RondoIO
import RondoTestSupport
import RondoTracking
import Testing

@Suite struct LossChartTests {
    private func chart(points: Int = 500, isLogarithmic: Bool = false) -> LossChart {
        let train = (0..<points).map { step -> CurvePoint in
            let noise = Double(step * 7919 % 13) / 130
            return CurvePoint(Double(step), 6 / Double(step + 2) + 2 + noise)
        }
        let validation = stride(from: 0, to: points, by: 50).map { step -> CurvePoint in
            CurvePoint(Double(step), 6 / Double(step + 2) + 2.2)
        }
        return LossChart(
            title: "a < b & \"c\"", isLogarithmic: isLogarithmic,
            series: [
                .init(name: "train", points: train, style: .smoothed),
                .init(name: "validation", points: validation, style: .points),
            ])
    }

    private func bigEndian(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

    /// Takes a PNG apart, checks every chunk, and returns its size and its pixels with their filter bytes.
    private func decode(_ png: [UInt8]) throws -> (width: Int, height: Int, rows: [UInt8]) {
        try #require(Array(png[..<8]) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        var start = 8
        var types: [String] = []
        var size = (width: 0, height: 0)
        var compressed: [UInt8] = []
        while start < png.count {
            let length = bigEndian(png[start..<(start + 4)])
            let body = Array(png[(start + 4)..<(start + 8 + length)])
            let check = bigEndian(png[(start + 8 + length)..<(start + 12 + length)])
            #expect(crc32(0, body, uInt(body.count)) == UInt(check))
            let type = String(decoding: body[..<4], as: UTF8.self)
            types.append(type)
            if type == "IHDR" {
                size = (bigEndian(body[4..<8]), bigEndian(body[8..<12]))
                #expect(Array(body[12...]) == [8, 2, 0, 0, 0])
            }
            if type == "IDAT" { compressed += body[4...] }
            start += 12 + length
        }
        #expect(types == ["IHDR", "IDAT", "IEND"])
        let expected = (size.width * 3 + 1) * size.height
        var rows = [UInt8](repeating: 0, count: expected + 1)
        var count = uLong(rows.count)
        #expect(uncompress(&rows, &count, compressed, uLong(compressed.count)) == Z_OK)
        #expect(Int(count) == expected)
        return (size.width, size.height, Array(rows[..<expected]))
    }

    @Test(arguments: [1.0, 2.0]) func pngIsWellFormedAndShowsTheCurves(scale: Double) throws {
        let picture = try decode(chart().png(scale: scale))
        #expect(picture.width == Int(800 * scale) && picture.height == Int(450 * scale))
        var colors: [UInt32: Int] = [:]
        var above = [UInt8](repeating: 0, count: picture.width * 3)
        for row in 0..<picture.height {
            let start = row * (picture.width * 3 + 1)
            #expect(picture.rows[start] == 2)
            for index in above.indices { above[index] &+= picture.rows[start + 1 + index] }
            for column in 0..<picture.width {
                let (red, green, blue) = (above[column * 3], above[column * 3 + 1], above[column * 3 + 2])
                colors[UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue), default: 0] += 1
            }
        }
        let pixels = picture.width * picture.height
        #expect(colors[0xFFFFFF, default: 0] > pixels / 2)
        // Both curves in their full colours.
        #expect(colors[0x1F6FC5, default: 0] > 300 && colors[0xD9541E, default: 0] > 300)
    }

    @Test func svgHasBothThemesAndEscapesText() {
        let svg = chart().svg()
        #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
        #expect(svg.contains("prefers-color-scheme: dark"))
        #expect(svg.contains("a &lt; b &amp; &quot;c&quot;") && !svg.contains("a < b"))
        #expect(svg.contains(">bits per byte</text>") && svg.contains(">step</text>"))
        #expect(!svg.contains("nan") && !svg.contains("inf"))
    }

    @Test func picturesStaySmall() throws {
        let long = chart(points: 200_000)
        #expect(long.svg().utf8.count < 200_000)
        #expect(try long.png().count < 400_000)
    }

    @Test(arguments: [false, true]) func oddDataGivesAPicture(isLogarithmic: Bool) throws {
        let cases: [[CurvePoint]] = [
            [], [CurvePoint(0, 1)], [CurvePoint(5, 2), CurvePoint(5, 2)],
            [CurvePoint(0, .nan), CurvePoint(1, .infinity)],
            [CurvePoint(0, 0), CurvePoint(1, -1)], [CurvePoint(0, 1e-12), CurvePoint(1e9, 1e12)],
            [CurvePoint(0, 1e300), CurvePoint(1, -1e300)],
        ]
        for points in cases {
            for style in [LossChart.Series.Style.smoothed, .points, .scatter, .bars] {
                var chart = LossChart(
                    title: "é", isLogarithmic: isLogarithmic, series: [.init(name: "x", points: points, style: style)])
                chart.isXLogarithmic = isLogarithmic
                #expect(!chart.svg().contains("nan"))
                _ = try decode(chart.png(scale: 1))
                _ = chart.terminalText(columns: 40, rows: 5)
            }
        }
    }

    @Test func terminalTextHasTheRequestedSize() {
        let text = chart().terminalText(columns: 60, rows: 8)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 9)
        #expect(lines.allSatisfy { $0.count <= 60 })
        #expect(text.unicodeScalars.contains { (0x2801...0x28FF).contains($0.value) })
    }

    @Test func dotsAndBarsHaveNoLines() throws {
        let points = (1...8).map { CurvePoint(Double($0), Double($0 * $0 % 7)) }
        func chart(_ style: LossChart.Series.Style) -> LossChart {
            LossChart(title: "t", series: [.init(name: "x", points: points, style: style)])
        }
        let (scatter, bars) = (chart(.scatter).svg(), chart(.bars).svg())
        #expect(scatter.components(of: "<circle") == 9)
        #expect(!scatter.contains("line-first\""))
        // The background is a rectangle too.
        #expect(bars.components(of: "<rect") == 9)
        let picture = try decode(chart(.bars).png(scale: 1))
        #expect(picture.width == 800)
    }

    @Test func equalRatiosAreEqualDistances() {
        var chart = LossChart(
            title: "t",
            series: [.init(name: "x", points: [1, 10, 100].map { CurvePoint($0, $0) }, style: .scatter)])
        chart.isXLogarithmic = true
        // The plot is 698 wide and begins at 78.
        #expect(chart.svg().contains("cx=\"427\""))
    }

    @Test func heatMapsShadeTheirCells() {
        let map = HeatMap(
            title: "t", xLabel: "x", yLabel: "y", valueLabel: "v", columns: ["a", "b"], rows: ["1", "2"],
            values: [[0, 1], [.nan, 0.5]])
        let svg = map.svg()
        #expect(svg.components(of: "fill-opacity") == 3)
        #expect(svg.contains("fill-opacity=\"1\"") && svg.contains("fill-opacity=\"0.52\""))
        #expect(!svg.contains("nan"))
        var page = HTMLReport(title: "p")
        page.chart(map)
        #expect(page.text.contains("<figure>"))
        let empty = HeatMap(title: "t", xLabel: "", yLabel: "", valueLabel: "", columns: [], rows: [], values: [])
        #expect(empty.svg().hasSuffix("</svg>\n"))
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func components(of text: String) -> Int {
        let (all, part) = (Array(utf8), Array(text.utf8))
        return all.indices.count { all[$0...].starts(with: part) }
    }
}
