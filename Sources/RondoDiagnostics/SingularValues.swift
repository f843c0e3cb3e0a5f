/// How many directions a matrix uses, and how strongly.
public struct SingularSpectrum: Sendable, Codable, Equatable {
    /// The singular values, falling.
    public var values: [Double]

    /// A spectrum that is known.
    public init(values: [Double]) { self.values = values.sorted(by: >) }

    /// The singular values of a matrix.
    ///
    /// As square roots of the eigenvalues of the smaller of A Aᵀ and Aᵀ A, in float64: those below 1e-8 of the largest are
    /// rounding, and given as 0.
    ///
    /// - Parameters:
    ///   - matrix: Elements by row.
    ///   - columns: The length of a row; it must divide the number of elements.
    public init(of matrix: [Double], columns: Int) {
        let rows = columns > 0 ? matrix.count / columns : 0
        let size = min(rows, columns)
        guard size > 0, matrix.allSatisfy(\.isFinite) else {
            values = [Double](repeating: matrix.isEmpty ? 0 : .nan, count: size)
            return
        }
        // Without the scale, squares of tiny or huge elements would leave the range.
        let scale = matrix.lazy.map(abs).max() ?? 0
        guard scale > 0 else {
            values = [Double](repeating: 0, count: size)
            return
        }
        var gram = [Double](repeating: 0, count: size * size)
        let (length, step, stride) = rows <= columns ? (columns, columns, 1) : (rows, 1, columns)
        for first in 0..<size {
            for second in 0...first {
                var sum = 0.0
                for index in 0..<length {
                    sum +=
                        matrix[first * step + index * stride] / scale * (matrix[second * step + index * stride] / scale)
                }
                gram[first * size + second] = sum
                gram[second * size + first] = sum
            }
        }
        let squares = SymmetricEigenvalues.of(gram, size: size).sorted(by: >)
        let least = (squares.first ?? 0) * 1e-16
        values = squares.map { $0 > least ? $0.squareRoot() * scale : 0 }
    }

    /// e to the entropy of the values as shares of their sum: n of n equal ones, 1 of a single one (Roy and Vetterli,
    /// 2007); 0 of a matrix of zeros.
    public var effectiveRank: Double {
        let sum = values.reduce(0, +)
        guard sum > 0, sum.isFinite else { return sum.isFinite ? 0 : .nan }
        let entropy = values.reduce(0.0) { total, value in
            let share = value / sum
            return share > 0 ? total - share * Elementary.log(share) : total
        }
        return Elementary.exp(entropy)
    }

    /// The Frobenius norm.
    public var norm: Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
}

/// Eigenvalues of symmetric matrices.
enum SymmetricEigenvalues {
    /// The eigenvalues, in no order: Householder reflections to three diagonals, then the QL iteration with shifts.
    static func of(_ matrix: [Double], size: Int) -> [Double] {
        var (diagonal, side) = threeDiagonals(matrix, size: size)
        iterate(&diagonal, &side)
        return diagonal
    }

    /// Reflects the matrix column by column; `side[i]` stands between diagonal elements i and i + 1.
    private static func threeDiagonals(_ matrix: [Double], size: Int) -> (diagonal: [Double], side: [Double]) {
        var a = matrix
        var side = [Double](repeating: 0, count: size)
        for column in 0..<max(0, size - 2) {
            let below = (column + 1)..<size
            let length = below.reduce(0.0) { $0 + a[$1 * size + column] * a[$1 * size + column] }.squareRoot()
            let head = a[(column + 1) * size + column]
            let alpha = head > 0 ? -length : length
            side[column] = alpha
            var v = below.map { a[$0 * size + column] }
            v[0] -= alpha
            let square = v.reduce(0) { $0 + $1 * $1 }
            guard square > 0 else { continue }
            // A ← H A H with H = 1 - 2 v vᵀ / v², as A - v wᵀ - w vᵀ.
            var p = below.map { row in
                var sum = 0.0
                for (index, other) in below.enumerated() { sum += a[row * size + other] * v[index] }
                return 2 * sum / square
            }
            let overlap = zip(v, p).reduce(0) { $0 + $1.0 * $1.1 } / square
            for index in p.indices { p[index] -= overlap * v[index] }
            for (i, row) in below.enumerated() {
                for (j, other) in below.enumerated() { a[row * size + other] -= v[i] * p[j] + p[i] * v[j] }
            }
        }
        if size >= 2 { side[size - 2] = a[(size - 1) * size + size - 2] }
        return ((0..<size).map { a[$0 * size + $0] }, side)
    }

    private static func iterate(_ diagonal: inout [Double], _ side: inout [Double]) {
        let size = diagonal.count
        for start in 0..<size {
            // Some 2 rounds an eigenvalue are usual; the limit only guards against numbers that are not finite.
            for _ in 0..<60 {
                var end = start
                while end < size - 1 {
                    let scale = abs(diagonal[end]) + abs(diagonal[end + 1])
                    if abs(side[end]) <= 1e-16 * scale { break }
                    end += 1
                }
                guard end > start else { break }
                sweep(&diagonal, &side, from: start, to: end)
            }
        }
    }

    /// One implicit QL step with Wilkinson's shift on the block from `start` to `end`.
    private static func sweep(_ d: inout [Double], _ e: inout [Double], from start: Int, to end: Int) {
        let half = (d[start + 1] - d[start]) / (2 * e[start])
        let radius = (half * half + 1).squareRoot()
        var g = d[end] - d[start] + e[start] / (half + (half >= 0 ? radius : -radius))
        var (sine, cosine, shift) = (1.0, 1.0, 0.0)
        for index in stride(from: end - 1, through: start, by: -1) {
            let f = sine * e[index]
            let b = cosine * e[index]
            let r = (f * f + g * g).squareRoot()
            e[index + 1] = r
            guard r > 0 else {
                d[index + 1] -= shift
                e[end] = 0
                return
            }
            (sine, cosine) = (f / r, g / r)
            g = d[index + 1] - shift
            let t = (d[index] - g) * sine + 2 * cosine * b
            shift = sine * t
            d[index + 1] = g + shift
            g = cosine * t - b
        }
        d[start] -= shift
        e[start] = g
        e[end] = 0
    }
}
