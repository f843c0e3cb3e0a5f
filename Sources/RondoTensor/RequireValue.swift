/// Refuses a value of a configuration, in the words that all configurations use.
///
/// - Parameters:
///   - holds: Whether the value is acceptable.
///   - key: The key as it stands in the configuration, in snake_case.
///   - value: What was found.
///   - range: What would be acceptable, completing the sentence "must be …".
/// - Throws: ``RondoError`` of code `invalidArgument` that names the key, the value and the range.
public func requireValue(
    _ holds: Bool, _ key: String, _ value: some CustomStringConvertible, _ range: String
) throws {
    guard holds else { throw RondoError(.invalidArgument, "\(key) \(value): must be \(range)") }
}
