public import RondoNN
public import RondoTensor

extension RecurrentState {
    /// All tensors by name, for files.
    public var named: ParameterSet {
        var copy = self
        var (paths, tensors): ([String], [Tensor]) = ([], [])
        copy.forEachLeaf { name, leaf in
            paths.append(name)
            tensors.append(leaf)
        }
        return ParameterSet(paths: paths, tensors: tensors)
    }

    /// The same state with other tensors, in the order of ``named``.
    public func replacing(_ tensors: [Tensor]) -> RecurrentState {
        var (copy, index) = (self, 0)
        copy.forEachLeaf { _, leaf in
            leaf = tensors[index]
            index += 1
        }
        return copy
    }
}
