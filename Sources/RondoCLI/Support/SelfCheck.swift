import RondoTensor

/// Compares a fast kernel with its definition on this very machine.
struct SelfCheck {
    /// How far the two are apart.
    struct Outcome {
        /// The largest difference relative to the largest magnitude, or the error that ended the comparison.
        var result: Result<Double, any Error>

        /// Differences within what rounding in float32 explains.
        var isGood: Bool { ((try? result.get()) ?? .infinity) < 1e-4 }

        var text: String {
            switch result {
            case .success(let difference): "\(isGood ? "good" : "BAD") (difference \(Float(difference)))"
            case .failure(let error): "BAD (\(error))"
            }
        }
    }

    var name: String
    private var pair: () throws -> (fast: Tensor, definition: Tensor)

    func deviation() -> Outcome {
        Outcome(
            result: Result {
                let (fast, definition) = try pair()
                let scale = try definition.cast(to: .float64).abs().max().scalar()
                let difference = try (fast.cast(to: .float64) - definition.cast(to: .float64)).abs().max().scalar()
                return difference / scale
            })
    }

    /// The kernels that training and generation stand on, at sizes that leave remainders in every vector.
    static var all: [SelfCheck] {
        [
            SelfCheck(name: "matrix product") {
                let (a, b) = (try draws([33, 100], 1), try draws([100, 67], 2))
                return (try a.matmul(b), try a.cast(to: .float64).matmul(b.cast(to: .float64)))
            },
            SelfCheck(name: "tanh") {
                let x = try draws([1001], 3)
                return (try x.tanh(), try x.cast(to: .float64).tanh())
            },
            SelfCheck(name: "softmax") {
                let x = try draws([7, 257], 4)
                return (try x.softmax(), try Softmax()([x.cast(to: .float64)], mode: .reference)[0])
            },
            SelfCheck(name: "row sum") {
                let x = try draws([33, 1001], 5)
                return (try x.sum([1]), try x.cast(to: .float64).sum([1]))
            },
        ]
    }

    private static func draws(_ shape: Shape, _ seed: UInt64) throws -> Tensor {
        var generator = Generator(seed: seed)
        return try generator.normal(shape)
    }
}
