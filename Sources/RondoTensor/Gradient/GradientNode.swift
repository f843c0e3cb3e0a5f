/// A tensor's place in the record of how it was made: one output of a node.
struct GradientLink: Sendable {
    let node: GradientNode
    let output: Int
}

/// One recorded operation: what it needs for its derivative, and the nodes that made its inputs.
///
/// A node is written when it is made and taken apart by the one backward pass that walks over it.
final class GradientNode: @unchecked Sendable {
    /// From the outputs' cotangents to the inputs'.
    ///
    /// `nil` for a leaf, and once the pass is over.
    var pullback: (([Tensor?]) throws -> [Tensor?])?
    /// The nodes behind the inputs; `nil` where no derivative flows.
    var parents: [GradientLink?]
    let outputCount: Int

    init(parents: [GradientLink?], outputCount: Int, pullback: (([Tensor?]) throws -> [Tensor?])?) {
        self.parents = parents
        self.outputCount = outputCount
        self.pullback = pullback
    }

    /// Releases long chains one by one: left to itself, the release of a node inside the release of the next
    /// would use up the stack after some ten thousand.
    deinit {
        var chain = parents.compactMap { $0?.node }
        parents = []
        pullback = nil
        while var node = chain.popLast() {
            if isKnownUniquelyReferenced(&node) {
                chain.append(contentsOf: node.parents.compactMap { $0?.node })
                node.parents = []
            }
        }
    }
}

extension GradientLink {
    /// A leaf: derivatives are collected here.
    static func leaf() -> GradientLink {
        GradientLink(node: GradientNode(parents: [], outputCount: 1, pullback: nil), output: 0)
    }

    /// Records a primitive, keeping only the operands its rule reads.
    init(primitive: Primitive, inputs: TensorList, output: Tensor) {
        let needs = primitive.needs
        let saved = SavedTensors(
            inputs: inputs.map { needs.inputs ? $0.detached() : nil },
            output: needs.output ? output.detached() : nil,
            shapes: inputs.map(\.shape), dtype: inputs[0].dtype,
            wanted: inputs.map { $0.link != nil })
        node = GradientNode(parents: inputs.map(\.link), outputCount: 1) { cotangents in
            guard let cotangent = cotangents[0] else { return saved.shapes.map { _ in nil } }
            return try primitive.gradients(saved, cotangent)
        }
        self.output = 0
    }
}

/// What a primitive's rule of differentiation may read.
struct SavedTensors {
    let inputs: [Tensor?]
    let output: Tensor?
    let shapes: [Shape]
    let dtype: DType
    /// Which inputs a derivative is wanted for.
    let wanted: [Bool]

    /// An input that the rule's `needs` asked for.
    func input(_ index: Int) throws -> Tensor {
        guard let input = inputs[index] else { throw SavedTensors.missing }
        return input
    }

    /// The output that the rule's `needs` asked for.
    func result() throws -> Tensor {
        guard let output else { throw SavedTensors.missing }
        return output
    }

    private static var missing: RondoError {
        RondoError(.invalidArgument, "a derivative rule reads a tensor that it did not declare in `needs`")
    }
}
