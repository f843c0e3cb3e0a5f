import ArgumentParser
import RondoIO
import RondoTensor

/// A flag that sets one key of a configuration.
struct Setting {
    /// The flag's name, without dashes.
    var flag: String
    /// The path of the key.
    var key: String
    /// The value as text or JSON, if the flag was given.
    var value: String?

    init(_ flag: String, _ key: String, _ value: (some CustomStringConvertible)?) {
        self.flag = flag
        self.key = key
        self.value = value.map(\.description)
    }

    /// A flag that may be repeated; `values` is empty if it was not given.
    init(_ flag: String, _ key: String, list values: [String]) {
        self.flag = flag
        self.key = key
        value = values.isEmpty ? nil : JSONValue.array(values.map(JSONValue.string)).text()
    }
}

/// Flags that are settings of a configuration.
protocol SettingsOptions: ParsableArguments {
    /// Every flag of the type, given or not.
    var settings: [Setting] { get }
}

/// Puts a configuration together: flag, then `key=value`, then environment, then file, then default.
struct ConfigurationLayers {
    /// What one source asks for.
    struct Layer {
        /// What to call it in errors, or `nil` if the value speaks for itself.
        var source: String?
        var overrides: [Override]
    }

    /// Keys of which only one may have a value: setting one clears the others.
    var exclusiveKeys: Set<String> = []
    /// The partial configuration of a file, and its path.
    var file: (document: JSONValue, path: String)?
    /// From the weakest to the strongest.
    var layers: [Layer] = []

    /// The groups of flags in the help text that are settings end like this.
    static func isSettingsTitle(_ title: String) -> Bool { title.hasSuffix(settingsMark) }
    static let settingsMark = "settings"

    /// Reads a configuration file.
    mutating func add(file path: String) throws { file = (try JSONValue(contentsOf: path), path) }

    /// Adds the environment's part, variable by variable so that an error can name the one.
    mutating func add<Options: SettingsOptions>(_ environment: EnvironmentVariables, as type: Options.Type) throws {
        for setting in try Options.parse([]).settings {
            guard let value = environment[setting.flag] else { continue }
            let source = "environment variable \(EnvironmentVariables.name(of: setting.flag))=\(value)"
            do {
                let argument = try Self.argument(for: setting.flag, value: value, as: type)
                try add(argument.map { try type.parse([$0]) }, source: source)
            } catch let error as RondoError {
                throw error
            } catch {
                throw RondoError(.invalidArgument, "\(source): \(type.message(for: error))")
            }
        }
    }

    /// Adds `key=value` arguments.
    mutating func add(_ arguments: [String]) throws {
        layers.append(Layer(source: nil, overrides: try arguments.map(Override.init)))
    }

    /// Adds flags.
    mutating func add(_ options: (some SettingsOptions)?, source: String? = nil) throws {
        let overrides = try options?.settings.compactMap { setting in
            try setting.value.map { try Override("\(setting.key)=\($0)") }
        }
        layers.append(Layer(source: source, overrides: overrides ?? []))
    }

    /// The configuration with all layers applied.
    /// - Throws: `RondoError` that names the source, the key and the closest known key.
    func resolve<Value: Codable>(_ defaults: Value) throws -> Value {
        var tree = try StrictJSON.tree(of: defaults, absentAsNull: true)
        if let file {
            try clearExclusive(in: &tree, keys: Self.givenKeys(file.document), source: file.path)
            try tree.merge(file.document, source: file.path)
            // Now, so that a wrong value is blamed on the file.
            _ = try StrictJSON.decode(Value.self, from: tree, source: file.path)
        }
        for layer in layers {
            do {
                let given = layer.overrides.filter { $0.text != "null" }
                try clearExclusive(in: &tree, keys: given.map { $0.path.joined(separator: ".") }, source: "")
                try tree.apply(layer.overrides)
                _ = try StrictJSON.decode(Value.self, from: tree, source: layer.source ?? "command line")
            } catch let error as RondoError {
                throw RondoError(error.code, (layer.source.map { "\($0): " } ?? "") + error.message)
            }
        }
        return try StrictJSON.decode(Value.self, from: tree, source: "configuration")
    }

    /// The keys at the root of a document that have a value.
    private static func givenKeys(_ document: JSONValue) -> [String] {
        (document.objectValue?.members ?? []).filter { $0.value != .null }.map(\.key)
    }

    private func clearExclusive(in tree: inout JSONValue, keys: [String], source: String) throws {
        let set = Set(keys).intersection(exclusiveKeys)
        guard set.count <= 1 else {
            let names = set.sorted().joined(separator: ", ")
            throw RondoError(
                .invalidArgument, "\(source.isEmpty ? "" : "\(source): ")\(names) exclude each other; give one of them")
        }
        guard set.count == 1 else { return }
        try tree.apply(exclusiveKeys.subtracting(set).sorted().map { try Override("\($0)=null") })
    }

    /// The argument that a variable stands for, or `nil` for a switch that it leaves alone.
    private static func argument<Options: SettingsOptions>(
        for flag: String, value: String, as type: Options.Type
    ) throws -> String? {
        let argument = "--\(flag)=\(value)"
        if (try? type.parse([argument])) != nil { return argument }
        guard (try? type.parse(["--\(flag)"])) != nil else { return argument }
        if try EnvironmentVariables.isTrue(value, flag: flag) { return "--\(flag)" }
        let negated = "--no-\(flag)"
        return (try? type.parse([negated])) == nil ? nil : negated
    }
}
