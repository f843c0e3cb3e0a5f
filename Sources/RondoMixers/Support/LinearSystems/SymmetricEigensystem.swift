extension DoubleMatrix {
    /// Eigenvalues and eigenvectors (columns) of a symmetric matrix, in no order.
    ///
    /// Householder's reflections make it tridiagonal, implicit QL steps diagonal: O(N³).
    func symmetricEigensystem() -> (values: [Double], vectors: DoubleMatrix) {
        var form = TridiagonalForm(self)
        form.diagonalize()
        return (form.diagonal, DoubleMatrix(rows, rows) { form.rows[$1][$0] })
    }
}

/// A symmetric matrix as Qᵀ T Q with T tridiagonal; `diagonalize()` makes T diagonal.
private struct TridiagonalForm {
    var diagonal: [Double]
    /// Element i is beside the diagonal's elements i and i + 1; the last is 0.
    var beside: [Double]
    /// The rows of Q: eigenvectors at the end.
    var rows: [[Double]]

    /// Reflects column after column onto its first two elements.
    init(_ matrix: DoubleMatrix) {
        let size = matrix.rows
        var a = (0..<size).map { row in (0..<size).map { matrix[row, $0] } }
        rows = (0..<size).map { row in (0..<size).map { $0 == row ? 1 : 0 } }
        for column in 0..<max(0, size - 2) {
            var v = Array(repeating: 0.0, count: size)
            for row in column + 1..<size { v[row] = a[row][column] }
            let norm = Self.dot(v, v).squareRoot()
            v[column + 1] += v[column + 1] < 0 ? -norm : norm
            let square = Self.dot(v, v)
            guard square > 0 else { continue }
            // H = I - 2 v vᵀ / vᵀv: H A H = A - v wᵀ - w vᵀ.
            let scale = 2 / square
            var w = (0..<size).map { scale * Self.dot(a[$0], v) }
            let shift = scale / 2 * Self.dot(v, w)
            for row in 0..<size { w[row] -= shift * v[row] }
            for row in 0..<size {
                Self.add(-v[row], w, to: &a[row])
                Self.add(-w[row], v, to: &a[row])
            }
            Self.reflect(&rows, v, scale)
        }
        diagonal = (0..<size).map { a[$0][$0] }
        beside = (0..<size).map { $0 + 1 < size ? a[$0 + 1][$0] : 0 }
    }

    /// Rows of Q after one more reflection.
    private static func reflect(_ rows: inout [[Double]], _ v: [Double], _ scale: Double) {
        var along = Array(repeating: 0.0, count: v.count)
        for row in v.indices where v[row] != 0 { add(v[row], rows[row], to: &along) }
        for row in v.indices where v[row] != 0 { add(-scale * v[row], along, to: &rows[row]) }
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for index in a.indices { sum += a[index] * b[index] }
        return sum
    }

    private static func add(_ scale: Double, _ x: [Double], to y: inout [Double]) {
        guard scale != 0 else { return }
        for index in y.indices { y[index] += scale * x[index] }
    }

    /// Implicit QL steps with Wilkinson's shift until nothing is left beside the diagonal.
    mutating func diagonalize() {
        for first in diagonal.indices {
            // Two or three steps are usual; the limit only bounds inputs that are not finite.
            for _ in 0..<100 {
                let last = blockEnd(from: first)
                guard last > first else { break }
                step(first, last)
            }
        }
    }

    /// The last position of the block that begins at `first` and cannot be taken apart.
    private func blockEnd(from first: Int) -> Int {
        for index in first..<max(first, diagonal.count - 1) {
            let size = abs(diagonal[index]) + abs(diagonal[index + 1])
            if abs(beside[index]) <= 1e-17 * size || size + abs(beside[index]) == size { return index }
        }
        return max(first, diagonal.count - 1)
    }

    /// One QL step on positions first to last: rotations chase the bulge from the end to the beginning.
    private mutating func step(_ first: Int, _ last: Int) {
        let ratio = (diagonal[first + 1] - diagonal[first]) / (2 * beside[first])
        let root = (ratio * ratio + 1).squareRoot()
        let shift = diagonal[first] - beside[first] / (ratio + (ratio < 0 ? -root : root))
        var (value, sine, cosine, moved) = (diagonal[last] - shift, 1.0, 1.0, 0.0)
        for index in (first..<last).reversed() {
            let (f, b) = (sine * beside[index], cosine * beside[index])
            let length = (f * f + value * value).squareRoot()
            beside[index + 1] = length
            guard length > 0 else {
                diagonal[index + 1] -= moved
                beside[last] = 0
                return
            }
            (sine, cosine) = (f / length, value / length)
            let offset = diagonal[index + 1] - moved
            let turn = (diagonal[index] - offset) * sine + 2 * cosine * b
            moved = sine * turn
            diagonal[index + 1] = offset + moved
            value = cosine * turn - b
            rotate(index, sine, cosine)
        }
        diagonal[first] -= moved
        beside[first] = value
        beside[last] = 0
    }

    /// Turns two rows of Q.
    private mutating func rotate(_ index: Int, _ sine: Double, _ cosine: Double) {
        for column in rows[index].indices {
            let (x, y) = (rows[index][column], rows[index + 1][column])
            rows[index][column] = cosine * x - sine * y
            rows[index + 1][column] = sine * x + cosine * y
        }
    }
}
