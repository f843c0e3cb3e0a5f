import CRondoKernels
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct KernelRowTests {
    private let rows = 3

    /// Applies a function to each row and joins the results.
    private func mapRows<Scalar: KernelScalar>(_ x: [Scalar], _ transform: ([Double]) -> [Double]) -> [Double] {
        let columns = x.count / rows
        return (0..<rows).flatMap { row in transform(x[row * columns..<(row + 1) * columns].map(Double.init)) }
    }

    private func softmax(_ row: [Double]) -> [Double] {
        let terms = row.map { exp($0 - (row.max() ?? 0)) }
        return terms.map { $0 / terms.reduce(0, +) }
    }

    private func logSumExp(_ row: [Double]) -> Double {
        let largest = row.max() ?? 0
        return largest + log(row.map { exp($0 - largest) }.reduce(0, +))
    }

    private func checkSoftmax<Scalar: KernelScalar>(columns: Int, _: Scalar.Type) {
        let type = Scalar.kernelType
        let x: [Scalar] = numbers(rows * columns, in: -9...9)
        let g: [Scalar] = numbers(rows * columns, seed: 2)
        for logarithm in [false, true] {
            var y = x
            rk_softmax(type, logarithm, rows, columns, x, &y)
            let expected = mapRows(x) { row in
                logarithm ? row.map { $0 - logSumExp(row) } : softmax(row)
            }
            expectClose(y, expected, 2 * Scalar.tolerance, "softmax")
            var dx = x
            rk_softmax_gradient(type, logarithm, rows, columns, y, g, &dx)
            var slopes: [Double] = []
            for row in 0..<rows {
                let range = row * columns..<(row + 1) * columns
                let p = softmax(x[range].map(Double.init))
                let total = zip(p, g[range]).map { (logarithm ? 1 : $0) * Double($1) }.reduce(0, +)
                slopes += zip(p, g[range]).map { logarithm ? Double($1) - $0 * total : $0 * (Double($1) - total) }
            }
            expectClose(dx, slopes, 8 * Scalar.tolerance, "softmax gradient")
        }
        var sums: [Scalar] = Array(repeating: 0, count: rows)
        rk_log_sum_exp(type, rows, columns, x, &sums)
        expectClose(sums, mapRows(x) { [logSumExp($0)] })
    }

    @Test func softmaxes() {
        atEveryLevel {
            for columns in kernelSizes {
                checkSoftmax(columns: columns, Float.self)
                checkSoftmax(columns: columns, Double.self)
            }
        }
    }

    @Test func infiniteRows() {
        atEveryLevel {
            let x: [Float] = [-.infinity, -.infinity, 0, -.infinity]
            var y = x
            rk_softmax(RK_FLOAT32, false, 2, 2, x, &y)
            #expect(y[0].isNaN && y[1].isNaN)
            #expect(Array(y[2...]) == [1, 0])
            var sums: [Float] = [0, 0]
            rk_log_sum_exp(RK_FLOAT32, 2, 2, x, &sums)
            #expect(sums == [-.infinity, 0])
        }
    }

    private struct Norm {
        var centred: Bool
        var weighted: Bool
    }

    /// Compares y, and the gradients by their definition through the normalised values.
    private func checkNorm<Scalar: KernelScalar>(_ norm: Norm, columns: Int, _: Scalar.Type) {
        let type = Scalar.kernelType
        let x: [Scalar] = numbers(rows * columns, in: -1...3)
        let g: [Scalar] = numbers(rows * columns, seed: 2)
        let weight: [Scalar]? = norm.weighted ? numbers(columns, seed: 3) : nil
        let bias: [Scalar]? = norm.weighted && norm.centred ? numbers(columns, seed: 4) : nil
        let epsilon = 1e-3
        var y = x
        var dx = x
        var mean: [Scalar] = Array(repeating: 0, count: rows)
        var rstd = mean
        var dweight: [Scalar] = Array(repeating: 1, count: columns)
        var dbias = dweight
        if norm.centred {
            rk_layer_norm(type, rows, columns, x, weight, bias, epsilon, &y, &mean, &rstd)
            rk_layer_norm_gradient(type, rows, columns, x, weight, mean, rstd, g, &dx, &dweight, &dbias)
        } else {
            rk_rms_norm(type, rows, columns, x, weight, epsilon, &y, &rstd)
            rk_rms_norm_gradient(type, rows, columns, x, weight, rstd, g, &dx, &dweight)
        }
        var expected: [Double] = []
        var slopes: [Double] = []
        var weightSlopes = Array(repeating: 1.0, count: columns)
        var biasSlopes = weightSlopes
        for row in 0..<rows {
            let values = x[row * columns..<(row + 1) * columns].map(Double.init)
            let gradient = g[row * columns..<(row + 1) * columns].map(Double.init)
            let centre = norm.centred ? values.reduce(0, +) / Double(columns) : 0
            let variance = values.map { ($0 - centre) * ($0 - centre) }.reduce(0, +) / Double(columns)
            let scale = 1 / (variance + epsilon).squareRoot()
            let hat = values.map { ($0 - centre) * scale }
            let h = gradient.enumerated().map { $1 * Double(weight?[$0] ?? 1) }
            let meanH = norm.centred ? h.reduce(0, +) / Double(columns) : 0
            let meanHX = zip(h, hat).map { $0 * $1 }.reduce(0, +) / Double(columns)
            expected += hat.enumerated().map { $1 * Double(weight?[$0] ?? 1) + Double(bias?[$0] ?? 0) }
            slopes += zip(h, hat).map { scale * ($0 - meanH - $1 * meanHX) }
            for j in 0..<columns {
                weightSlopes[j] += gradient[j] * hat[j]
                biasSlopes[j] += gradient[j]
            }
        }
        let tolerance = 20 * Scalar.tolerance
        expectClose(y, expected, tolerance, "norm")
        // A single column divides rounding errors by sqrt(epsilon).
        expectClose(dx, slopes, columns == 1 ? 100 * tolerance : tolerance, "norm gradient")
        expectClose(dweight, weightSlopes, tolerance, "norm weight gradient")
        if norm.centred { expectClose(dbias, biasSlopes, tolerance, "norm bias gradient") }
    }

    @Test func norms() {
        atEveryLevel {
            for columns in kernelSizes {
                for centred in [false, true] {
                    for weighted in [false, true] {
                        checkNorm(Norm(centred: centred, weighted: weighted), columns: columns, Float.self)
                        checkNorm(Norm(centred: centred, weighted: weighted), columns: columns, Double.self)
                    }
                }
            }
        }
    }

    private func checkCrossEntropy<Scalar: KernelScalar>(classes: Int, smoothing: Double, _: Scalar.Type) {
        let logits: [Scalar] = numbers(rows * classes, in: -9...9)
        let targets: [Int32] = [0, -100, Int32(classes - 1)]
        let scale = 0.25
        var loss: [Scalar] = Array(repeating: .nan, count: rows)
        var gradient = logits  // aliases the logits
        gradient.withUnsafeMutableBytes {
            rk_cross_entropy(
                Scalar.kernelType, rows, classes, $0.baseAddress, targets, smoothing, -100, scale, &loss, $0.baseAddress
            )
        }
        var lossOnly = loss
        rk_cross_entropy(Scalar.kernelType, rows, classes, logits, targets, smoothing, -100, scale, &lossOnly, nil)
        #expect(loss == lossOnly)
        var losses: [Double] = []
        var slopes: [Double] = []
        for row in 0..<rows {
            let values = logits[row * classes..<(row + 1) * classes].map(Double.init)
            if targets[row] == -100 {
                losses.append(0)
                slopes += values.map { _ in 0 }
                continue
            }
            let wanted = (0..<classes).map { j in
                (Int32(j) == targets[row] ? 1 - smoothing : 0) + smoothing / Double(classes)
            }
            let total = logSumExp(values)
            losses.append(zip(values, wanted).map { $1 * (total - $0) }.reduce(0, +))
            slopes += zip(softmax(values), wanted).map { scale * ($0 - $1) }
        }
        expectClose(loss, losses, 4 * Scalar.tolerance, "loss")
        expectClose(gradient, slopes, 2 * Scalar.tolerance, "loss gradient")
    }

    @Test func crossEntropies() {
        atEveryLevel {
            for classes in kernelSizes {
                for smoothing in [0, 0.1] {
                    checkCrossEntropy(classes: classes, smoothing: smoothing, Float.self)
                    checkCrossEntropy(classes: classes, smoothing: smoothing, Double.self)
                }
            }
        }
    }
}
