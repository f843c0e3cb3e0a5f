public import RondoNN
public import RondoTensor

/// A rule that improves parameters from their gradients: hyperparameters only, so a value without memory.
///
/// What a rule remembers between steps is an ``OptimizerState``, which is saved and restored apart from it.
public protocol Optimizer: Sendable {
    /// The learning rate before the schedule.
    var learningRate: Double { get }

    /// Names of the tensors kept for a parameter of this role, each of the parameter's shape.
    func stateNames(for role: ParameterRole) -> [String]

    /// Changes one parameter and its state (zeros before the first step), in place where they are not shared.
    func update(_ parameter: inout Tensor, gradient: Tensor, state: inout [Tensor], _ step: OptimizerStep) throws
}

/// What a rule is told about one step and one parameter.
public struct OptimizerStep: Sendable {
    /// The number of this step, from 1.
    public var number: Int
    /// The learning rate of this step, after the schedule.
    public var rate: Double
    /// Multiplies the gradient first (clipping).
    public var gradientScale: Double
    /// What kind of parameter is updated.
    public var role: ParameterRole
}

/// What an optimiser remembers: the number of steps done, and named tensors per parameter.
public struct OptimizerState: Sendable {
    /// Steps done.
    public private(set) var step = 0
    private let paths: [String]
    private let roles: [ParameterRole]
    private let names: [[String]]
    private var tensors: [[Tensor]]

    /// The state before the first step.
    ///
    /// - Parameters:
    ///   - optimizer: whose state it is.
    ///   - module: whose parameters it will change.
    ///   - role: says what kind of parameter a path and shape name.
    /// - Throws: ``RondoError`` when there is no memory, or when a parameter is stored in a type that cannot be trained.
    public init(
        for optimizer: some Optimizer, module: some Module,
        role: (String, Shape) -> ParameterRole = ParameterRole.init(path:shape:)
    ) throws {
        let parameters = module.parameters
        try parameters.requireDifferentiable()
        paths = parameters.paths
        roles = zip(paths, parameters.tensors).map { role($0, $1.shape) }
        names = roles.map(optimizer.stateNames)
        tensors = try zip(names, parameters.tensors).map { names, parameter in
            try names.map { _ in try Tensor.zeros(parameter.shape, dtype: parameter.dtype) }
        }
    }

    /// All tensors, named "path.name" ("layers.0.weight.first_moment"), for checkpoints.
    public var named: ParameterSet {
        ParameterSet(
            paths: zip(paths, names).flatMap { path, names in names.map { "\(path).\($0)" } },
            tensors: tensors.flatMap { $0 })
    }

    /// Takes over a saved state, bit for bit.
    /// - Throws: ``RondoError`` when a tensor is missing, left over, or of another shape or type; nothing changes then.
    public mutating func restore(step: Int, from saved: ParameterSet) throws {
        let expected = named
        let byPath = Dictionary(zip(saved.paths, saved.tensors)) { first, _ in first }
        guard step >= 0, saved.paths.count == expected.paths.count, byPath.count == expected.paths.count else {
            throw RondoError(
                .corruptFile,
                "optimiser state: holds \(byPath.count) tensors at step \(step), this model and optimiser need "
                    + "\(expected.paths.count); resume with the configuration of the run that saved it")
        }
        var restored: [Tensor] = []
        for (path, own) in zip(expected.paths, expected.tensors) {
            guard let tensor = byPath[path], tensor.shape == own.shape, tensor.dtype == own.dtype else {
                let found = byPath[path].map { "\($0.shape) \($0.dtype.rawValue)" } ?? "nothing"
                throw RondoError(
                    .corruptFile,
                    "optimiser state: \(path) should be \(own.shape) \(own.dtype.rawValue), found \(found); "
                        + "resume with the configuration of the run that saved it")
            }
            restored.append(tensor)
        }
        var position = 0
        for index in tensors.indices {
            let count = tensors[index].count
            tensors[index] = Array(restored[position..<position + count])
            position += count
        }
        self.step = step
    }

    /// Does one step: changes every parameter of `module` in place.
    ///
    /// Parameters whose memory a copy of the module shares are copied first, so keep no copies while training.
    ///
    /// - Parameters:
    ///   - module: what is trained.
    ///   - gradients: of every parameter, in the order of visiting.
    ///   - optimizer: the rule.
    ///   - rateMultiplier: what the schedule says.
    ///   - gradientScale: what clipping says.
    /// - Throws: ``RondoError`` when the gradients are not this module's.
    public mutating func update<M: Module>(
        _ module: inout M, gradients: ParameterSet, by optimizer: some Optimizer, rateMultiplier: Double = 1,
        gradientScale: Double = 1
    ) throws {
        guard gradients.paths == paths else {
            throw RondoError(
                .invalidArgument,
                "optimiser step: the gradients belong to other parameters than the optimiser was made for "
                    + "(\(gradients.paths.count) and \(paths.count)); make a new state for a changed model")
        }
        step += 1
        let number = step
        let rate = optimizer.learningRate * rateMultiplier
        var index = 0
        try module.forEachParameter { path, parameter in
            guard index < paths.count, path == paths[index] else {
                throw RondoError(.invalidArgument, "optimiser step: unexpected parameter \(path)")
            }
            let context = OptimizerStep(number: number, rate: rate, gradientScale: gradientScale, role: roles[index])
            try optimizer.update(
                &parameter, gradient: gradients.tensors[index], state: &tensors[index], context)
            index += 1
        }
    }
}
