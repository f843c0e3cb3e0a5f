public import RondoIO
import RondoTensor

/// The shape of a mixer: what of it stands in a model's configuration, in JSON with snake_case keys.
///
/// What is only speed does not belong here. Unknown keys are refused when decoding.
public protocol MixerConfiguration: Codable, Sendable, Equatable {
    /// The defaults.
    init()

    /// Refuses what cannot be built.
    ///
    /// - Parameter dModel: The width of the model.
    /// - Throws: `RondoError` of code `invalidArgument` that names the key and its range (`requireValue`).
    func validate(dModel: Int) throws
}

extension MixerConfiguration {
    /// The defaults with some keys changed.
    ///
    /// - Parameters:
    ///   - options: An object with some of the keys, or null.
    ///   - source: What to call it in errors.
    /// - Throws: `RondoError` that names the wrong key and the closest known one.
    public init(options: JSONValue?, source: String) throws {
        var tree = try StrictJSON.tree(of: Self(), absentAsNull: true)
        if let options, options != .null { try tree.merge(options, source: source) }
        self = try StrictJSON.decode(Self.self, from: tree, source: source)
    }
}

/// A small shape to show, check and measure a mixer with.
public struct MixerExample<Configuration: MixerConfiguration>: Sendable {
    /// What is special about it.
    public var label: String
    /// The mixer's configuration.
    public var configuration: Configuration
    /// The width of the model.
    public var dModel: Int

    /// Creates an example.
    ///
    /// - Parameters:
    ///   - label: What is special about it; also names it in reports.
    ///   - dModel: The width; odd ones find more mistakes.
    ///   - change: Changes the defaults.
    public init(_ label: String, dModel: Int, _ change: (inout Configuration) -> Void = { _ in }) {
        self.label = label
        self.dModel = dModel
        configuration = Configuration()
        change(&configuration)
    }
}
