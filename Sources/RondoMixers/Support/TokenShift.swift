import RondoTensor

extension Tensor {
    /// Every position `[batch, time, ...]` replaced by the one before it, the first by `start` `[batch, ...]`; at least
    /// one position.
    func delayed(after start: Tensor) throws -> Tensor {
        try Tensor.concatenate([start.expanded(at: 1), sliced(1, 0..<shape[1] - 1)], axis: 1)
    }
}
