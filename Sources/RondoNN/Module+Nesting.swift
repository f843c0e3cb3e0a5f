public import RondoTensor

extension Module {
    /// Visits the parameters with a name in front of their paths, as a part of another module.
    public mutating func forEachParameter(
        under name: String, _ visit: (_ path: String, _ parameter: inout Tensor) throws -> Void
    ) rethrows {
        try forEachParameter { path, parameter in try visit("\(name).\(path)", &parameter) }
    }
}

extension Optional where Wrapped: Module {
    /// Visits the parameters of a part that may be absent.
    public mutating func forEachParameter(
        under name: String, _ visit: (_ path: String, _ parameter: inout Tensor) throws -> Void
    ) rethrows {
        guard var module = self else { return }
        // Emptied meanwhile, so that the parameters have one owner and change in place.
        self = nil
        defer { self = module }
        try module.forEachParameter(under: name, visit)
    }
}

extension Array where Element: Module {
    /// Visits the parameters of parts in a row, numbered from 0: "name.0.path" and so on.
    public mutating func forEachParameter(
        under name: String, _ visit: (_ path: String, _ parameter: inout Tensor) throws -> Void
    ) rethrows {
        for index in indices { try self[index].forEachParameter(under: "\(name).\(index)", visit) }
    }
}
