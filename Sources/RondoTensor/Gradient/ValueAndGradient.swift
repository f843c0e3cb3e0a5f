/// Computes a scalar and its derivatives with respect to some tensors.
///
/// - Parameters:
///   - inputs: the tensors to differentiate with respect to (float32 or float64).
///   - body: computes a tensor of one element from them, by operations of this module.
/// - Returns: the value, and a derivative of each input's shape (zeros where the value does not depend on it).
/// - Throws: what `body` throws, or ``RondoError`` when its result is not a single number.
public func valueAndGradient(
    of inputs: [Tensor], _ body: ([Tensor]) throws -> Tensor
) throws -> (value: Tensor, gradients: [Tensor]) {
    let (values, pullback) = try valuesAndPullback(of: inputs) { [try body($0)] }
    let value = values[0]
    guard value.count == 1 else {
        throw RondoError(
            .shapeMismatch,
            "valueAndGradient: the result has shape \(value.shape); reduce it to one number with sum() or mean()")
    }
    let gradients = try pullback([Tensor.ones(value.shape, dtype: value.dtype)])
    return (value, gradients)
}

/// Computes tensors, and a function that takes their cotangents to those of the inputs.
///
/// The pullback may be called once: it frees what the forward computation kept.
public func valuesAndPullback(
    of inputs: [Tensor], _ body: ([Tensor]) throws -> [Tensor]
) throws -> (values: [Tensor], pullback: ([Tensor?]) throws -> [Tensor]) {
    let leaves = inputs.map { _ in GradientLink.leaf() }
    let tracked = zip(inputs, leaves).map { input, leaf in
        var tensor = input
        tensor.link = input.dtype.isDifferentiable ? leaf : nil
        return tensor
    }
    let outputs = try body(tracked)
    let links = outputs.map(\.link)
    let pullback: ([Tensor?]) throws -> [Tensor] = { cotangents in
        let starts = zip(links, cotangents).compactMap { link, cotangent in link.map { ($0, cotangent) } }
        let gradients = try BackwardPass.run(starts, leaves: leaves)
        return try zip(inputs, gradients).map { input, gradient in
            let dtype = input.dtype.isDifferentiable ? input.dtype : .float32
            return try gradient ?? Tensor.zeros(input.shape, dtype: dtype)
        }
    }
    return (outputs.map { $0.detached() }, pullback)
}

/// Runs `body` without keeping what it computes in between; the backward pass computes it once more.
///
/// Trades one extra forward computation for memory. `body` must depend on its inputs alone (and on generators it
/// copies), so that both computations agree; the derivatives are the same bits as without checkpointing.
public func checkpoint(_ inputs: [Tensor], _ body: @escaping ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    let detached = inputs.map { $0.detached() }
    var outputs = try body(detached).map { $0.detached() }
    guard inputs.contains(where: { $0.link != nil }) else { return outputs }
    let node = GradientNode(parents: inputs.map(\.link), outputCount: outputs.count) { cotangents in
        let (_, pullback) = try valuesAndPullback(of: detached, body)
        return try pullback(cotangents)
    }
    for index in outputs.indices where outputs[index].dtype.isDifferentiable {
        outputs[index].link = GradientLink(node: node, output: index)
    }
    return outputs
}
