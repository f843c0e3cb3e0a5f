/// Walks the record backwards from some outputs and collects the cotangents of leaves.
///
/// Each node's saved tensors are released as soon as its derivative has been taken.
struct BackwardPass {
    private var cotangents: [ObjectIdentifier: [Tensor?]] = [:]

    /// Runs from `outputs` with their cotangents (`nil`: none) to `leaves`; `nil` for a leaf that none depends on.
    static func run(_ outputs: [(GradientLink, Tensor?)], leaves: [GradientLink]) throws -> [Tensor?] {
        var pass = BackwardPass()
        for (link, cotangent) in outputs {
            if let cotangent { try pass.add(cotangent, to: link) }
        }
        var order = sorted(outputs.map(\.0.node))
        // From here on the order holds the only strong references besides the caller's.
        while let node = order.popLast() {
            guard let pullback = node.pullback else { continue }
            let parents = node.parents
            node.pullback = nil
            node.parents = []
            guard let collected = pass.cotangents.removeValue(forKey: ObjectIdentifier(node)) else { continue }
            let gradients = try pullback(collected)
            for (parent, gradient) in zip(parents, gradients) {
                if let parent, let gradient { try pass.add(gradient, to: parent) }
            }
        }
        return leaves.map { pass.cotangents[ObjectIdentifier($0.node)]?[$0.output] }
    }

    private mutating func add(_ cotangent: Tensor, to link: GradientLink) throws {
        let key = ObjectIdentifier(link.node)
        var slots = cotangents.removeValue(forKey: key) ?? [Tensor?](repeating: nil, count: link.node.outputCount)
        if var sum = slots[link.output] {
            slots[link.output] = nil
            try sum.accumulate(cotangent)
            slots[link.output] = sum
        } else {
            slots[link.output] = cotangent
        }
        cotangents[key] = slots
    }

    /// Nodes reachable from `roots`, every node after those it depends on (iteratively: records can be long).
    private static func sorted(_ roots: [GradientNode]) -> [GradientNode] {
        var order: [GradientNode] = []
        var visited: Set<ObjectIdentifier> = []
        var stack: [(node: GradientNode, next: Int)] = []
        for root in roots where visited.insert(ObjectIdentifier(root)).inserted {
            stack.append((root, 0))
            while let (node, next) = stack.last {
                guard next < node.parents.count else {
                    order.append(node)
                    stack.removeLast()
                    continue
                }
                stack[stack.count - 1].next += 1
                if let parent = node.parents[next]?.node, visited.insert(ObjectIdentifier(parent)).inserted {
                    stack.append((parent, 0))
                }
            }
        }
        return order
    }
}
