import RondoNN
public import RondoTensor

/// How one parameter of the model is made of the tensors of a file, and back.
public struct TensorRule: Sendable {
    /// A tensor of the file.
    public struct Part: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Its shape.
        public var shape: Shape
        /// Which of its rows count; all if `nil`.
        ///
        /// Such tensors are only read: nothing is written so.
        public var rows: Range<Int>?

        /// Names a tensor.
        public init(_ name: String, _ shape: Shape, rows: Range<Int>? = nil) {
            self.name = name
            self.shape = shape
            self.rows = rows
        }
    }

    /// What is done to the elements on the way in.
    public enum Change: Sendable, Equatable {
        /// Nothing.
        case none
        /// Times the first, plus the second.
        case affine(Double, Double)
        /// The last two axes change places.
        case transposed
    }

    /// The parameter's path, as `layers.0.mixer.input.weight`.
    public var parameter: String
    /// The tensors, one below the other along the parameter's first axis (each reshaped to the width of its rows).
    public var parts: [Part]
    /// What is done to each of them.
    public var change: Change

    /// Whether the parameter is one tensor of the file as it is.
    var isPlain: Bool { parts.count == 1 && parts[0].rows == nil && change == .none }

    // MARK: - In

    /// The parameter.
    ///
    /// - Parameters:
    ///   - shape: The parameter's shape.
    ///   - read: Gives the tensors of the file.
    /// - Returns: The parameter.
    /// - Throws: `RondoError` when numbers of elements differ, or what `read` throws.
    func parameter(_ shape: Shape, _ read: (Part) throws -> Tensor) throws -> Tensor {
        let tensors = try parts.map { part in
            let whole = try read(part)
            return try changed(part.rows.map { try whole.sliced(0, $0) } ?? whole)
        }
        if tensors.count == 1 { return try tensors[0].reshaped(shape) }
        let width = shape.dropFirst().reduce(1, *)
        return try Tensor.concatenate(tensors.map { try $0.reshaped([-1, width]) }, axis: 0).reshaped(shape)
    }

    private func changed(_ tensor: Tensor) throws -> Tensor {
        switch change {
        case .none: tensor
        case .affine(let scale, let offset): try tensor * scale + offset
        case .transposed: try tensor.transposed()
        }
    }

    // MARK: - Out

    /// The tensors of the file, in the order of the parts.
    func tensors(of parameter: Tensor) throws -> [(name: String, tensor: Tensor)] {
        let width = max(1, parameter.shape.dropFirst().reduce(1, *))
        let rows = try parameter.reshaped([-1, width])
        var start = 0
        return try parts.map { part in
            let count = part.shape.product / width
            defer { start += count }
            return (part.name, try restored(rows.sliced(0, start..<start + count), part.shape))
        }
    }

    private func restored(_ rows: Tensor, _ shape: Shape) throws -> Tensor {
        switch change {
        case .none: return try rows.reshaped(shape)
        case .affine(let scale, let offset): return try ((rows - offset) / scale).reshaped(shape)
        case .transposed:
            var turned = shape
            turned.swapAt(shape.count - 1, shape.count - 2)
            return try rows.reshaped(turned).transposed()
        }
    }
}

/// The rules for all parameters of a model.
public struct TensorMap: Sendable {
    private let shapes: [String: Shape]
    private let fileShapes: [String: [Int]]
    private var rules: [String: TensorRule] = [:]
    /// Names of plain tensors whose parameter the model does not have.
    private(set) var namesWithoutParameter: [String: String] = [:]

    /// Begins a map for a model's parameters, from the files that are read if any are.
    init(_ parameters: ParameterSet, files: WeightFiles? = nil) {
        shapes = Dictionary(uniqueKeysWithValues: zip(parameters.paths, parameters.tensors.map(\.shape)))
        fileShapes = files?.shapes ?? [:]
    }

    /// The shape of a tensor of the file, by which layouts of several ages are told apart; `nil` if there is none, or
    /// nothing is read.
    public func fileShape(_ name: String) -> [Int]? { fileShapes[name] }

    /// The shape of a parameter; `nil` if the model has none of that path.
    public func shape(_ parameter: String) -> Shape? { shapes[parameter] }

    /// A parameter is a tensor of another name; nothing happens if the model has no such parameter.
    ///
    /// - Parameters:
    ///   - parameter: The path.
    ///   - name: The tensor's name.
    ///   - shape: The tensor's shape from the parameter's; the same if `nil`.
    ///   - change: What is done to the elements on the way in.
    public mutating func add(
        _ parameter: String, _ name: String, shape: ((Shape) -> Shape)? = nil, _ change: TensorRule.Change = .none
    ) {
        guard let own = shapes[parameter] else {
            namesWithoutParameter[parameter] = name
            return
        }
        add(parameter, [.init(name, shape?(own) ?? own)], change)
    }

    /// A parameter is made of several tensors, one below the other; nothing happens if the model has no such parameter.
    public mutating func add(
        _ parameter: String, _ parts: [TensorRule.Part], _ change: TensorRule.Change = .none
    ) {
        guard shapes[parameter] != nil else { return }
        rules[parameter] = TensorRule(parameter: parameter, parts: parts, change: change)
    }

    /// A parameter is made of several tensors of one shape, one below the other; nothing happens if the model has no
    /// such parameter.
    public mutating func addStacked(_ parameter: String, _ names: [String]) {
        guard let own = shapes[parameter], let rows = own.first else { return }
        add(parameter, names.map { .init($0, [rows / names.count] + own.dropFirst()) })
    }

    /// Several parameters of one shape lie one below the other in one tensor, which is only read.
    public mutating func addJoined(_ parameters: [String], _ name: String) {
        for (index, parameter) in parameters.enumerated() {
            guard let own = shapes[parameter], let rows = own.first else { continue }
            let whole: Shape = [rows * parameters.count] + own.dropFirst()
            add(parameter, [.init(name, whole, rows: index * rows..<(index + 1) * rows)])
        }
    }

    /// A module's `weight` and `bias`, where the model has them.
    public mutating func addLinear(_ parameter: String, _ name: String) {
        add("\(parameter).weight", "\(name).weight")
        add("\(parameter).bias", "\(name).bias")
    }

    /// The taps `[channels, width]` and offsets of a convolution, which files keep as `[channels, 1, width]`.
    public mutating func addConvolution(_ parameter: String, _ name: String) {
        add("\(parameter).weight", "\(name).weight", shape: { [$0[0], 1, $0[1]] })
        add("\(parameter).bias", "\(name).bias")
    }

    /// The rule of a parameter.
    func rule(_ parameter: String, family: String) throws -> TensorRule {
        guard let rule = rules[parameter] else {
            throw RondoError(.invalidArgument, "\(family) has no place for the parameter '\(parameter)'")
        }
        return rule
    }
}
