import RondoTensor

/// Refuses a value of a configuration, in the words that all configurations use.
///
/// - Throws: `RondoError` of code `invalidArgument` that names the key, the value and the range.
package func requireValue(
    _ holds: Bool, _ key: String, _ value: some CustomStringConvertible, _ range: String
) throws {
    guard holds else { throw RondoError(.invalidArgument, "\(key) \(value): must be \(range)") }
}
