public import RondoTensor

/// A part of a model: a value that holds parameters and says how to visit them.
///
/// Modules are structs. Replacing a parameter gives a new model and leaves copies alone.
public protocol Module: Sendable {
    /// Visits every trainable parameter, in a fixed order, with its path (`"layers.0.weight"`), which is its name in
    /// checkpoints too.
    mutating func forEachParameter(_ visit: (_ path: String, _ parameter: inout Tensor) throws -> Void) rethrows
}

/// Parameters or derivatives by path, in the order of visiting.
public struct ParameterSet: Sendable {
    /// The paths.
    public let paths: [String]
    /// The tensors, in the order of the paths.
    public var tensors: [Tensor]

    /// Creates a set from paths and tensors of the same number.
    public init(paths: [String], tensors: [Tensor]) {
        self.paths = paths
        self.tensors = tensors
    }

    /// The tensor of a path.
    public subscript(path: String) -> Tensor? {
        paths.firstIndex(of: path).map { tensors[$0] }
    }

    /// Refuses to train what is stored in a type that derivatives do not flow through.
    /// - Throws: ``RondoError`` of code `dtypeMismatch` that names the parameters.
    public func requireDifferentiable() throws {
        let stored = zip(paths, tensors).filter { !$0.1.dtype.isDifferentiable }
        guard let first = stored.first else { return }
        let others = stored.count > 1 ? " and \(stored.count - 1) others" : ""
        throw RondoError(
            .dtypeMismatch,
            "cannot train: parameter '\(first.0)'\(others) is stored as \(first.1.dtype.rawValue); load the model with "
                + "all weights as float32 (cast(to: .float32)) to train it")
    }

    /// The number of elements in all tensors together.
    public var elementCount: Int { tensors.reduce(0) { $0 + $1.count } }
}

extension Module {
    /// All parameters, in the order of visiting.
    public var parameters: ParameterSet {
        var copy = self
        var paths: [String] = []
        var tensors: [Tensor] = []
        copy.forEachParameter { path, parameter in
            paths.append(path)
            tensors.append(parameter)
        }
        return ParameterSet(paths: paths, tensors: tensors)
    }

    /// The number of trainable numbers.
    public var parameterCount: Int { parameters.elementCount }

    /// The same module with other parameters, given in the order of visiting.
    public func replacingParameters(_ tensors: [Tensor]) -> Self {
        var copy = self
        var index = 0
        copy.forEachParameter { _, parameter in
            parameter = tensors[index]
            index += 1
        }
        return copy
    }

    /// The same module with every parameter as another type.
    public func cast(to dtype: DType) throws -> Self {
        var copy = self
        try copy.forEachParameter { _, parameter in parameter = try parameter.cast(to: dtype) }
        return copy
    }

    /// Computes a scalar from the module, its derivatives by parameter, and whatever else `body` returns.
    ///
    /// The body gets the module with parameters through which derivatives flow. Tensors in its second result should
    /// be detached (``Tensor/detached()``), or they keep the record of the computation alive.
    public func valueGradientsAndExtra<Extra>(
        _ body: (Self) throws -> (Tensor, Extra)
    ) throws -> (value: Tensor, gradients: ParameterSet, extra: Extra) {
        let current = parameters
        try current.requireDifferentiable()
        var extra: Extra?
        let (value, gradients) = try valueAndGradient(of: current.tensors) { tracked in
            let (value, more) = try body(replacingParameters(tracked))
            extra = more
            return value
        }
        guard let extra else {
            throw RondoError(.invalidArgument, "valueGradientsAndExtra: the body did not run")
        }
        return (value, ParameterSet(paths: current.paths, tensors: gradients), extra)
    }

    /// Computes a scalar from the module and its derivatives by parameter.
    public func valueAndGradients(
        _ body: (Self) throws -> Tensor
    ) throws -> (value: Tensor, gradients: ParameterSet) {
        let (value, gradients, _) = try valueGradientsAndExtra { (try body($0), ()) }
        return (value, gradients)
    }
}
