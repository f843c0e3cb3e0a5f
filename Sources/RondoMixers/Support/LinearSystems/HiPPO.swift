import RondoTensor

/// Matrices in float64, for constants and first values that are made once.
struct DoubleMatrix {
    let rows: Int
    let columns: Int
    var values: [Double]

    init(_ rows: Int, _ columns: Int, _ element: (Int, Int) -> Double) {
        (self.rows, self.columns) = (rows, columns)
        values = (0..<rows * columns).map { element($0 / columns, $0 % columns) }
    }

    static func identity(_ size: Int) -> DoubleMatrix { DoubleMatrix(size, size) { $0 == $1 ? 1 : 0 } }

    subscript(row: Int, column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    static func * (a: DoubleMatrix, b: DoubleMatrix) -> DoubleMatrix {
        var product = DoubleMatrix(a.rows, b.columns) { _, _ in 0 }
        for i in 0..<a.rows {
            for k in 0..<a.columns where a[i, k] != 0 {
                let factor = a[i, k]
                for j in 0..<b.columns { product[i, j] += factor * b[k, j] }
            }
        }
        return product
    }

    static func * (a: DoubleMatrix, scale: Double) -> DoubleMatrix {
        DoubleMatrix(a.rows, a.columns) { a[$0, $1] * scale }
    }

    static func + (a: DoubleMatrix, b: DoubleMatrix) -> DoubleMatrix {
        DoubleMatrix(a.rows, a.columns) { a[$0, $1] + b[$0, $1] }
    }

    /// The solution X of self · X = right, by elimination with row exchanges.
    func solve(_ right: DoubleMatrix) -> DoubleMatrix {
        var (a, x) = (self, right)
        for pivot in 0..<rows {
            let best = (pivot..<rows).max { abs(a[$0, pivot]) < abs(a[$1, pivot]) } ?? pivot
            a.exchange(best, pivot)
            x.exchange(best, pivot)
            for row in pivot + 1..<max(rows, pivot + 1) where a[row, pivot] != 0 {
                let factor = a[row, pivot] / a[pivot, pivot]
                for column in pivot..<columns { a[row, column] -= factor * a[pivot, column] }
                for column in 0..<x.columns { x[row, column] -= factor * x[pivot, column] }
            }
        }
        for row in (0..<rows).reversed() {
            for column in 0..<x.columns {
                let known = (row + 1..<max(rows, row + 1)).reduce(0) { $0 + a[row, $1] * x[$1, column] }
                x[row, column] = (x[row, column] - known) / a[row, row]
            }
        }
        return x
    }

    private mutating func exchange(_ first: Int, _ second: Int) {
        guard first != second else { return }
        for column in 0..<columns { values.swapAt(first * columns + column, second * columns + column) }
    }

    /// e to the power of the matrix: the series of a small fraction of it, squared back.
    func exponential() -> DoubleMatrix {
        let norm = (0..<rows).map { row in (0..<columns).reduce(0) { $0 + abs(self[row, $1]) } }.max() ?? 0
        var halvings = 0
        var size = norm
        while size > 0.25 { (size, halvings) = (size / 2, halvings + 1) }
        let small = self * (norm > 0 ? size / norm : 1)
        var (sum, term) = (DoubleMatrix.identity(rows), DoubleMatrix.identity(rows))
        for order in 1...14 {
            term = (term * small) * (1 / Double(order))
            sum = sum + term
        }
        for _ in 0..<halvings { sum = sum * sum }
        return sum
    }

    /// d, l and r of a matrix -(diag(d) + the part of l rᵀ below the diagonal), or `nil` if it is no such matrix.
    var semiseparableParts: (diagonal: [Double], left: [Double], right: [Double])? {
        let last = rows - 1
        let (left, right) = (
            (0..<rows).map { $0 == 0 ? 0 : -self[$0, 0] },
            (0..<rows).map { $0 == last || self[last, 0] == 0 ? 0 : self[last, $0] / self[last, 0] }
        )
        for row in 0..<rows {
            for column in 0..<rows where column != row {
                let expected = column < row ? -left[row] * right[column] : 0
                guard abs(self[row, column] - expected) <= 1e-12 * abs(expected) else { return nil }
            }
        }
        return ((0..<rows).map { -self[$0, $0] }, left, right)
    }

    func tensor(_ dtype: DType) throws -> Tensor { try Tensor(values, shape: [rows, columns]).cast(to: dtype) }
}

/// HiPPO matrices: dynamics whose states are coefficients of the past in orthogonal polynomials.
///
/// Gu et al., *HiPPO: Recurrent memory with optimal polynomial projections*, 2020.
enum HiPPO {
    /// LegS: Legendre polynomials over the whole past.
    static func legS(_ size: Int) -> (a: DoubleMatrix, b: DoubleMatrix) {
        let root = (0..<size).map { Double(2 * $0 + 1).squareRoot() }
        return (
            DoubleMatrix(size, size) { n, k in n > k ? -root[n] * root[k] : (n == k ? -Double(n + 1) : 0) },
            DoubleMatrix(size, 1) { n, _ in root[n] }
        )
    }

    /// LegT: Legendre polynomials over a window of length 1, by the square roots' normalisation if `isBalanced`.
    static func legT(_ size: Int, isBalanced: Bool) -> (a: DoubleMatrix, b: DoubleMatrix) {
        func scale(_ n: Int, _ k: Int) -> Double {
            isBalanced ? (Double(2 * n + 1) * Double(2 * k + 1)).squareRoot() : Double(2 * n + 1)
        }
        func sign(_ n: Int) -> Double { n % 2 == 0 ? 1 : -1 }
        return (
            DoubleMatrix(size, size) { n, k in -scale(n, k) * (n >= k ? sign(n - k) : 1) },
            DoubleMatrix(size, 1) { n, _ in sign(n) * (isBalanced ? scale(n, n).squareRoot() : scale(n, n)) }
        )
    }

    /// LagT: Laguerre polynomials, which forget exponentially.
    static func lagT(_ size: Int) -> (a: DoubleMatrix, b: DoubleMatrix) {
        (DoubleMatrix(size, size) { n, k in n > k ? -1 : (n == k ? -0.5 : 0) }, DoubleMatrix(size, 1) { _, _ in 1 })
    }

    /// The normal part of LegS in its eigenvectors: the half with positive imaginary parts, in rising order.
    struct Diagonalized {
        /// Real parts of Λ, all -1/2, and imaginary parts.
        var real: [Double]
        var imaginary: [Double]
        /// Rows of V*, real and imaginary parts, `[n, N]`.
        var basis: (real: DoubleMatrix, imaginary: DoubleMatrix)

        init(
            real: [Double], imaginary: [Double], basis: (real: DoubleMatrix, imaginary: DoubleMatrix)
        ) {
            (self.real, self.imaginary, self.basis) = (real, imaginary, basis)
        }

        /// Numbers of the right count without meaning, and no basis.
        init(undetermined size: Int) {
            let none = DoubleMatrix(0, 0) { _, _ in 0 }
            self.init(
                real: Array(repeating: -0.5, count: size / 2), imaginary: Array(repeating: 0, count: size / 2),
                basis: (none, none))
        }

        /// V* v.
        func project(_ v: DoubleMatrix) -> (real: DoubleMatrix, imaginary: DoubleMatrix) {
            (basis.real * v, basis.imaginary * v)
        }
    }

    /// Diagonalises A + P Pᵀ = -1/2 I + K of LegS, P = √(n + 1/2), for an even size.
    ///
    /// K is skew-symmetric, so K (a + i b) = i ω (a + i b) exactly if (a, b) is an eigenvector of the symmetric
    /// [[0, K], [-K, 0]]. A itself is never diagonalised: its eigenvectors grow exponentially.
    static func diagonalizedLegS(_ size: Int) -> Diagonalized {
        let a = legS(size).a
        let p = lowRank(size)
        let k = DoubleMatrix(size, size) { n, m in n == m ? 0 : a[n, m] + p[n, 0] * p[m, 0] }
        let embedded = DoubleMatrix(2 * size, 2 * size) { i, j in
            if i < size { j < size ? 0 : k[i, j - size] } else { j < size ? -k[i - size, j] : 0 }
        }
        let system = embedded.symmetricEigensystem()
        // Every eigenvalue stands twice; one of each pair is taken, from the largest down.
        let order = system.values.indices.sorted { system.values[$0] > system.values[$1] }
        let chosen = (0..<size / 2).reversed().map { order[2 * $0] }
        // Unit vectors of the embedding are unit vectors of the complex space; their phase is free, and is set so that
        // the first component is positive.
        let vectors = chosen.map { column -> ([Double], [Double]) in
            let re = (0..<size).map { system.vectors[$0, column] }
            let im = (0..<size).map { system.vectors[size + $0, column] }
            let modulus = (re[0] * re[0] + im[0] * im[0]).squareRoot()
            let (c, s) = modulus > 0 ? (re[0] / modulus, im[0] / modulus) : (1, 0)
            return (
                (0..<size).map { re[$0] * c + im[$0] * s }, (0..<size).map { im[$0] * c - re[$0] * s }
            )
        }
        return Diagonalized(
            real: Array(repeating: -0.5, count: size / 2), imaginary: chosen.map { system.values[$0] },
            basis: (
                DoubleMatrix(size / 2, size) { vectors[$0].0[$1] }, DoubleMatrix(size / 2, size) { -vectors[$0].1[$1] }
            ))
    }

    /// P of LegS.
    static func lowRank(_ size: Int) -> DoubleMatrix {
        DoubleMatrix(size, 1) { n, _ in (Double(n) + 0.5).squareRoot() }
    }
}
