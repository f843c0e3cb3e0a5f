import CRondoKernels
import Testing

@Suite struct KernelMatrixTests {
    private struct Problem {
        var transposeA = false
        var transposeB = false
        var m: Int
        var n: Int
        var k: Int
        var alpha = 1.0
        var beta = 0.0
    }

    private func check<Scalar: KernelScalar>(_ p: Problem, _: Scalar.Type) {
        let lda = (p.transposeA ? p.m : p.k) + 2
        let ldb = (p.transposeB ? p.k : p.n) + 1
        let ldc = p.n + 3
        let a: [Scalar] = numbers((p.transposeA ? p.k : p.m) * lda, seed: 1)
        let b: [Scalar] = numbers((p.transposeB ? p.n : p.k) * ldb, seed: 2)
        // beta = 0 must not read C.
        let start: [Scalar] = p.beta == 0 ? Array(repeating: .nan, count: p.m * ldc) : numbers(p.m * ldc, seed: 3)
        var c = start
        rk_gemm(
            Scalar.kernelType, p.transposeA, p.transposeB, p.m, p.n, p.k, p.alpha, a, lda, b, ldb, p.beta, &c, ldc)
        var expected = start.map(Double.init)
        for i in 0..<p.m {
            for j in 0..<p.n {
                var sum = 0.0
                for l in 0..<p.k {
                    sum +=
                        Double(a[p.transposeA ? l * lda + i : i * lda + l])
                        * Double(b[p.transposeB ? j * ldb + l : l * ldb + j])
                }
                expected[i * ldc + j] = p.alpha * sum + (p.beta == 0 ? 0 : p.beta * expected[i * ldc + j])
            }
        }
        let tolerance = Scalar.tolerance * (1 + Double(p.k).squareRoot())
        expectClose(c, expected, tolerance, "\(p)")
    }

    private func check(_ problem: Problem) {
        check(problem, Float.self)
        check(problem, Double.self)
    }

    @Test func shapes() {
        atEveryLevel {
            for transposeA in [false, true] {
                for transposeB in [false, true] {
                    for (m, n, k) in [
                        (1, 1, 1), (1, 33, 100), (3, 3, 3), (8, 48, 256), (9, 49, 257), (33, 100, 3), (7, 1, 300),
                        (1, 1100, 20), (17, 500, 33), (100, 33, 100), (5, 24, 600),
                    ] {
                        check(Problem(transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k))
                    }
                }
            }
        }
    }

    @Test func scaling() {
        atEveryLevel {
            for m in [1, 11] {
                check(Problem(m: m, n: 65, k: 300, alpha: -0.5, beta: 1))
                check(Problem(transposeB: true, m: m, n: 65, k: 30, alpha: 2, beta: -0.25))
                check(Problem(m: m, n: 65, k: 0, beta: 0.5))
                check(Problem(m: m, n: 65, k: 0))
                check(Problem(m: m, n: 0, k: 5))
            }
            check(Problem(m: 0, n: 5, k: 5))
        }
    }

    /// A row of the product has the same bits alone and among other rows, wherever it stands.
    private func checkRows<Scalar: KernelScalar>(transposeB: Bool, _: Scalar.Type) {
        let (m, n, k) = (19, 77, 530)
        let a: [Scalar] = numbers(m * k, seed: 5)
        let b: [Scalar] = numbers(n * k, seed: 6)
        let ldb = transposeB ? k : n
        var together = numbers(m * n, seed: 7, as: Scalar.self)
        let start = together
        rk_gemm(Scalar.kernelType, false, transposeB, m, n, k, 0.7, a, k, b, ldb, 0.3, &together, n)
        for rows in [1, 2, 5, 8, 11] {
            for first in stride(from: 0, to: m - rows, by: 4) {
                var apart = Array(start[first * n..<(first + rows) * n])
                let left = Array(a[first * k..<(first + rows) * k])
                rk_gemm(Scalar.kernelType, false, transposeB, rows, n, k, 0.7, left, k, b, ldb, 0.3, &apart, n)
                #expect(apart == Array(together[first * n..<(first + rows) * n]))
            }
        }
    }

    @Test func rowsDoNotDependOnTheirNeighbours() {
        atEveryLevel {
            for transposeB in [false, true] {
                checkRows(transposeB: transposeB, Float.self)
                checkRows(transposeB: transposeB, Double.self)
            }
        }
    }
}
