import CRondoKernels
import Foundation
import Testing

/// Products with weights as they are stored, at every level of the processor.
@Suite struct WeightKernelTests {
    private static let stored = [RK_S_FLOAT32, RK_S_BFLOAT16, RK_S_FLOAT16, RK_S_QUANTIZED8, RK_S_QUANTIZED4]
    private static let shapes = [(1, 1), (3, 33), (5, 127), (7, 128), (2, 129), (9, 160), (35, 300), (4, 0)]

    /// Rows of floats as another type.
    private func pack(_ x: [Float], _ rows: Int, _ columns: Int, _ type: rk_storage) -> [UInt8] {
        var out = [UInt8](repeating: 0xff, count: rows * rk_row_bytes(type, columns))
        out.withUnsafeMutableBytes { out in
            if type == RK_S_QUANTIZED8 || type == RK_S_QUANTIZED4 {
                rk_quantize_rows(type, rows, columns, x, out.baseAddress)
            } else {
                rk_cast(RK_S_FLOAT32, type, x, out.baseAddress, x.count)
            }
        }
        return out
    }

    private func expand(_ bytes: [UInt8], _ rows: Int, _ columns: Int, _ type: rk_storage) -> [Float] {
        var out = [Float](repeating: .nan, count: rows * columns)
        rk_expand_rows(RK_FLOAT32, type, rows, columns, bytes, &out)
        return out
    }

    /// y of some rows; x and y have gaps of NaN between rows.
    private func product(
        _ type: rk_storage, _ w: [UInt8], _ outputs: Int, _ inputs: Int, _ x: [[Float]], bias: [Float]?
    ) -> [[Float]] {
        let gap = 3
        let source = x.flatMap { $0 + [Float](repeating: .nan, count: gap) }
        var y = [Float](repeating: .nan, count: x.count * (outputs + gap))
        func run(_ bias: UnsafePointer<Float>?) {
            rk_linear(RK_FLOAT32, type, x.count, inputs, outputs, source, inputs + gap, w, bias, &y, outputs + gap)
        }
        if let bias { bias.withUnsafeBufferPointer { run($0.baseAddress) } } else { run(nil) }
        return x.indices.map { row in
            let start = row * (outputs + gap)
            #expect(y[(start + outputs)..<(start + outputs + gap)].allSatisfy { $0.isNaN })
            return Array(y[start..<(start + outputs)])
        }
    }

    @Test func productsEqualThoseOfTheExpandedWeights() {
        atEveryLevel {
            for (outputs, inputs) in Self.shapes {
                let weights: [Float] = numbers(outputs * inputs, seed: 3)
                let bias: [Float] = numbers(outputs, seed: 4)
                let x: [[Float]] = (0..<9).map { numbers(inputs, seed: UInt64(10 + $0)) }
                for type in Self.stored {
                    let w = pack(weights, outputs, inputs, type)
                    let plain = expand(w, outputs, inputs, type)
                    let alone = x.map { product(type, w, outputs, inputs, [$0], bias: bias)[0] }
                    for (row, found) in zip(x, alone) {
                        let expected = (0..<outputs).map { o in
                            (0..<inputs).reduce(Double(bias[o])) { sum, i in
                                sum + Double(row[i]) * Double(plain[o * inputs + i])
                            }
                        }
                        let tolerance = 2e-6 * (1 + Double(inputs).squareRoot())
                        expectClose(found, expected, tolerance, "\(type) \(outputs) \(inputs)")
                    }
                    // The same bits beside other rows, and beside other outputs.
                    for rows in 2...9 {
                        let together = product(type, w, outputs, inputs, Array(x.prefix(rows)), bias: bias)
                        #expect(together == Array(alone.prefix(rows)), "\(type) \(outputs) \(inputs), \(rows) rows")
                    }
                    let row = rk_row_bytes(type, inputs)
                    for o in 0..<outputs {
                        let part = Array(w[(o * row)..<((o + 1) * row)])
                        let one = product(type, part, 1, inputs, [x[0]], bias: [bias[o]])
                        #expect(one[0][0] == alone[0][o])
                    }
                    let unbiased = product(type, w, outputs, inputs, [x[0]], bias: nil)[0]
                    #expect(zip(unbiased, bias).map { $0 + $1 } == alone[0])
                }
            }
        }
    }

    @Test func doublesToo() {
        atEveryLevel {
            for (outputs, inputs) in Self.shapes {
                let w: [Double] = numbers(outputs * inputs, seed: 3)
                let x: [Double] = numbers(9 * inputs, seed: 4)
                var y = [Double](repeating: .nan, count: 9 * outputs)
                rk_linear(RK_FLOAT64, RK_S_FLOAT64, 9, inputs, outputs, x, inputs, w, nil, &y, outputs)
                let expected = (0..<(9 * outputs)).map { at in
                    (0..<inputs).reduce(0.0) { $0 + x[at / outputs * inputs + $1] * w[at % outputs * inputs + $1] }
                }
                expectClose(y, expected, 1e-14 * (1 + Double(inputs)), "\(outputs) \(inputs)")
            }
        }
    }

    @Test func everyLevelExpandsToTheSameBits() {
        for type in Self.stored {
            let (rows, columns) = (5, 333)
            let w = pack(numbers(rows * columns, seed: 8), rows, columns, type)
            var first: [Float]?
            atEveryLevel {
                let found = expand(w, rows, columns, type)
                #expect(found == first ?? found, "\(type)")
                first = found
            }
        }
    }

    /// Normally distributed numbers, by the method of Box and Muller.
    private func normal(_ count: Int) -> [Float] {
        let uniform: [Double] = numbers(2 * count, in: 1e-9...1)
        return (0..<count).map { index in
            let (radius, angle) = ((-2 * log(uniform[2 * index])).squareRoot(), 2 * Double.pi * uniform[2 * index + 1])
            return Float(radius * cos(angle))
        }
    }

    private func relativeError(_ x: [Float], _ type: rk_storage) -> Double {
        let found = expand(pack(x, 1, x.count, type), 1, x.count, type)
        let error = zip(x, found).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        return (error / x.reduce(0) { $0 + Double($1) * Double($1) }).squareRoot()
    }

    @Test func errorsOfNormalWeightsAreSmall() {
        let x = normal(1 << 14)
        #expect(relativeError(x, RK_S_QUANTIZED8) < 0.0058)
        #expect(relativeError(x, RK_S_QUANTIZED4) < 0.078)
        // Whatever the unit.
        for scale in [Float(1e-30), 1e-8, 1e12, 1e30] {
            #expect(relativeError(x.map { $0 * scale }, RK_S_QUANTIZED8) < 0.0058)
            #expect(relativeError(x.map { $0 * scale }, RK_S_QUANTIZED4) < 0.078)
        }
    }

    @Test func whatHasALevelKeepsItsValue() {
        // A group whose largest element is the lowest level, times a power of two.
        let levels = withUnsafeBytes(of: rk_levels) { $0.bindMemory(to: Int8.self).map(Float.init) }
        #expect(levels.first == -127 && levels.contains(0) && levels == levels.sorted())
        let four = (0..<160).map { levels[$0 * 7 % 16] / 64 }
        #expect(expand(pack(four, 1, 160, RK_S_QUANTIZED4), 1, 160, RK_S_QUANTIZED4) == four)
        let codes = (0..<160).map { $0 % 32 == 0 ? 127 : $0 * 37 % 255 - 127 }
        let eight = codes.map { Float($0) / 8 }
        #expect(expand(pack(eight, 1, 160, RK_S_QUANTIZED8), 1, 160, RK_S_QUANTIZED8) == eight)
    }

    @Test func zerosStayZero() {
        for type in [RK_S_QUANTIZED8, RK_S_QUANTIZED4] {
            var x: [Float] = numbers(100, seed: 2)
            for index in stride(from: 0, to: 100, by: 3) { x[index] = 0 }
            for index in 32..<64 { x[index] = 0 }
            let found = expand(pack(x, 1, 100, type), 1, 100, type)
            for (value, original) in zip(found, x) where original == 0 { #expect(value == 0) }
            // What a row is filled up with is zero: the codes of the last 28 columns.
            let full = expand(pack(x, 1, 100, type), 1, 128, type)
            #expect(full[100...].allSatisfy { $0 == 0 })
        }
    }

    @Test func whatIsNotFiniteSpoilsItsGroupOnly() {
        for type in [RK_S_QUANTIZED8, RK_S_QUANTIZED4] {
            for bad in [Float.nan, .infinity, -.infinity] {
                var x: [Float] = numbers(150, seed: 2)
                x[40] = bad
                let found = expand(pack(x, 1, 150, type), 1, 150, type)
                for (index, value) in found.enumerated() { #expect(value.isNaN == (32..<64).contains(index)) }
            }
        }
        // Smaller types of elements keep infinities and NaN.
        atEveryLevel {
            for type in [RK_S_BFLOAT16, RK_S_FLOAT16] {
                let x: [Float] = [.infinity, -.infinity, .nan, 1, 0, -0.0, 0x1p-24, 0x1.8p-16]
                let found = expand(pack(x, 1, x.count, type), 1, x.count, type)
                #expect(found[0] == .infinity && found[1] == -.infinity && found[2].isNaN && found[3] == 1)
                #expect(found[4...5].allSatisfy { $0 == 0 } && found[5].sign == .minus)
                #expect(found[6] == 0x1p-24 && found[7] == 0x1.8p-16)
            }
        }
    }
}
