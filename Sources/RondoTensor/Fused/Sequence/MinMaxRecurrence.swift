internal import CRondoKernels

/// A recurrence in the (max, min) algebra: the state is held between two bounds (Ronca, "MinMax Recurrent Neural
/// Cascades", 2026, arXiv 2605.06384).
///
/// Scalar neurons, x_t = max(min(r_t, x_{t-1}), s_t): inputs r and s `[batch, time, channels]` and the state before
/// `[batch, channels]`; outputs all states `[batch, time, channels]` and the last one. Matrix neurons of N numbers (1 to
/// 4) a channel, x_t = (A_t ⊙ x_{t-1}) ⊕ b_t, that is x_t[i] = max(max_j min(A_t[i, j], x_{t-1}[j]), b_t[i]): inputs A
/// `[batch, time, N, N, channels]`, b `[batch, time, N, channels]` and the state before `[batch, N, channels]`; outputs
/// all states `[batch, time, N, channels]` and the last one.
///
/// Values are copied, never computed, so results are exact. Each has one source, to which its whole derivative flows:
/// among equals the floor (s or b) before the rest, then the first j, and the state x before the bound (r or A).
public struct MinMaxRecurrence: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "minMaxRecurrence"

    /// Creates the operation.
    public init() {}

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 3, inputs.allSatisfy({ $0.dtype == inputs[0].dtype }),
            Self.isScalar(inputs) || Self.isMatrix(inputs)
        else {
            throw RondoError(
                .shapeMismatch,
                "\(Self.name): needs r and s [batch, time, channels] and a state [batch, channels], or matrices [batch, time, N, N, channels] with N from 1 to 4, a floor [batch, time, N, channels] and a state [batch, N, channels], of one type; got \(inputs.map(\.shape))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    private static func isScalar(_ inputs: [Tensor]) -> Bool {
        let shape = inputs[1].shape
        return shape.count == 3 && inputs[0].shape == shape && inputs[2].shape == [shape[0], shape[2]]
    }

    private static func isMatrix(_ inputs: [Tensor]) -> Bool {
        let x = inputs[1].shape
        return x.count == 4 && (1...4).contains(x[2]) && inputs[0].shape == [x[0], x[1], x[2], x[2], x[3]]
            && inputs[2].shape == [x[0], x[2], x[3]]
    }

    /// Selections that name the source of every value, position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let scalar = inputs[1].rank == 3
        var state = inputs[2]
        var states: [Tensor] = []
        for t in 0..<inputs[1].shape[1] {
            let (upper, lower) = (try inputs[0].selecting(1, t), try inputs[1].selecting(1, t))
            let held = try scalar ? Self.smaller(upper, state) : Self.product(upper, state)
            state = try Tensor.select(lower.greaterOrEqual(to: held), lower, held)
            states.append(state)
        }
        return [states.isEmpty ? inputs[1] : try Tensor.stack(states, axis: 1), state]
    }

    /// min(bound, x), from x where they are equal.
    private static func smaller(_ bound: Tensor, _ x: Tensor) throws -> Tensor {
        try Tensor.select(x.lessOrEqual(to: bound), x, bound)
    }

    /// max_j min(A[i, j], x[j]) for A `[batch, N, N, channels]`, from the first j among equals.
    private static func product(_ matrix: Tensor, _ x: Tensor) throws -> Tensor {
        var best: Tensor?
        for j in 0..<x.shape[1] {
            let candidate = try smaller(matrix.selecting(2, j), x.sliced(1, j..<j + 1))
            best = try best.map { try Tensor.select($0.greaterOrEqual(to: candidate), $0, candidate) } ?? candidate
        }
        return best ?? x
    }

    /// Sequences and blocks of channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let dense = try inputs.map { try $0.dense() }
        let sizes = try Sizes(dense)
        let states = try Tensor.uninitialized(dense[1].shape, dense[1].dtype)
        let final = try Tensor.uninitialized(dense[2].shape, dense[2].dtype)
        ElementwiseRecurrence.forEachBlock(sizes.batch, sizes.channels, time: sizes.time) { b, first, last in
            let at = b * sizes.time * sizes.row
            rk_minmax_recurrence(
                sizes.type, sizes.numbers, sizes.time, sizes.channels, first, last,
                dense[0].bytes + at * sizes.numbers, dense[1].bytes + at, dense[2].bytes + b * sizes.row,
                states.mutableBytes + at, final.mutableBytes + b * sizes.row)
        }
        return FusedResult(outputs: [states, final], saved: dense + [states], retained: [])
    }

    /// Every derivative to its one source, backwards in time.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let dense = context.saved
        let sizes = try Sizes(dense)
        let g = try cotangents[0]?.dense()
        let dstate = try ElementwiseRecurrence.cotangent(cotangents[1], like: dense[2].shape, dense[2].dtype)
        let dupper = try Tensor.uninitialized(dense[0].shape, dense[0].dtype)
        let dlower = try Tensor.uninitialized(dense[1].shape, dense[1].dtype)
        ElementwiseRecurrence.forEachBlock(sizes.batch, sizes.channels, time: sizes.time) { b, first, last in
            let at = b * sizes.time * sizes.row
            rk_minmax_recurrence_gradient(
                sizes.type, sizes.numbers, sizes.time, sizes.channels, first, last,
                dense[0].bytes + at * sizes.numbers, dense[1].bytes + at, dense[2].bytes + b * sizes.row,
                dense[3].bytes + at, g.map { $0.bytes + at }, dstate.mutableBytes + b * sizes.row,
                dupper.mutableBytes + at * sizes.numbers, dlower.mutableBytes + at)
        }
        withExtendedLifetime(g) {}
        return [dupper, dlower, dstate]
    }

    private struct Sizes {
        let type: rk_type
        /// Numbers a channel (N), and bytes of one position of the states.
        let (batch, time, channels, numbers, row): (Int, Int, Int, Int, Int)

        init(_ inputs: [Tensor]) throws {
            let shape = inputs[1].shape
            type = try inputs[1].dtype.kernelType(MinMaxRecurrence.name)
            (batch, time, channels) = (shape[0], shape[1], shape[shape.count - 1])
            numbers = shape.count == 4 ? shape[2] : 1
            row = numbers * channels * inputs[1].dtype.byteCount
        }
    }
}
