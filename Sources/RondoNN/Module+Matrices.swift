public import RondoTensor

/// A module that reads some of its parameters only as matrices of weights, by `Tensor.linear` or as rows of a table:
/// they may be of any of `DType.weightTypes`.
public protocol MatrixModule: Module {
    /// These parameters.
    var matrices: [Tensor] { get }
}

extension Linear: MatrixModule {
    /// The weight.
    public var matrices: [Tensor] { [weight] }
}

extension Embedding: MatrixModule {
    /// The table.
    public var matrices: [Tensor] { [weight] }
}

extension RecurrentLayer: MatrixModule {
    /// The projection of the input.
    public var matrices: [Tensor] { [weight] }
}

extension LeakyRecurrentLayer: MatrixModule {
    /// The projection of the input.
    public var matrices: [Tensor] { [weight] }
}

extension Module {
    /// The paths of the parameters that may be stored in any of `DType.weightTypes`: the matrices of all
    /// ``MatrixModule``s in this module.
    ///
    /// The others must be of the type that the module computes in.
    public var matrixPaths: Set<String> {
        // Modules name their parameters, not their parts: the parts are found by looking into the value, and told apart
        // by the memory of their matrices.
        var matrices: Set<MatrixIdentity> = []
        MatrixIdentity.collect(from: self, into: &matrices)
        let all = parameters
        return Set(zip(all.paths, all.tensors).filter { matrices.contains(MatrixIdentity($0.1)) }.map(\.0))
    }

    /// The same module with its matrices (``matrixPaths``) as another type.
    /// - Throws: ``RondoError`` when there is no memory.
    public func castingMatrices(to dtype: DType) throws -> Self {
        let paths = matrixPaths
        var copy = self
        try copy.forEachParameter { path, parameter in
            if paths.contains(path) { parameter = try parameter.cast(to: dtype) }
        }
        return copy
    }
}

/// A matrix by its place in memory.
private struct MatrixIdentity: Hashable {
    var storage: ObjectIdentifier
    var offset: Int

    init(_ tensor: Tensor) {
        storage = ObjectIdentifier(tensor.storage)
        offset = tensor.offset
    }

    static func collect(from value: Any, into found: inout Set<MatrixIdentity>) {
        if let module = value as? any MatrixModule { found.formUnion(module.matrices.map(MatrixIdentity.init)) }
        guard !(value is Tensor) else { return }
        let mirror = Mirror(reflecting: value)
        // Collections of anything else than modules may be long.
        if mirror.displayStyle == .collection, !(mirror.children.first?.value is any Module) { return }
        for child in mirror.children { collect(from: child.value, into: &found) }
    }
}
