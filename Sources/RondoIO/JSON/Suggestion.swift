/// Finds what somebody who mistyped a name may have meant.
public enum Suggestion {
    private static let longest = 200
    private static let most = 2000

    /// The closest of the known names, if it is close enough to be meant.
    ///
    /// - Parameters:
    ///   - name: The name as typed.
    ///   - known: The names that exist.
    /// - Returns: The best match, or `nil`.
    public static func closest(to name: String, in known: some Sequence<String>) -> String? {
        // Nobody mistypes longer names, and comparing them would take long.
        guard name.utf8.count <= longest else { return nil }
        let limit = max(1, name.count / 3)
        let best = known.lazy.filter { $0.utf8.count <= longest }.prefix(most)
            .map { (name: $0, distance: distance(name.lowercased(), $0.lowercased())) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        return best.flatMap { $0.distance <= limit ? $0.name : nil }
    }

    /// The end of an error message: the closest match as a question, then the known names.
    ///
    /// - Parameters:
    ///   - name: The name as typed.
    ///   - known: The names that exist, in the order to list them.
    ///   - noun: What the names are, in the plural: "keys".
    /// - Returns: For example `; did you mean 'steps'? Known keys: steps, seed`.
    public static func advice(for name: String, known: [String], noun: String) -> String {
        let question = closest(to: name, in: known).map { "; did you mean '\($0)'?" } ?? ";"
        if known.isEmpty { return "; there are no \(noun) here" }
        let shown = known.prefix(40).joined(separator: ", ") + (known.count > 40 ? ", ... (\(known.count) in all)" : "")
        return "\(question) Known \(noun): \(shown)"
    }

    /// Edits (insert, delete, replace, swap neighbours) that turn one word into the other.
    static func distance(_ first: String, _ second: String) -> Int {
        let source = Array(first)
        let target = Array(second)
        var previous: [Int] = []
        var current = Array(0...target.count)
        for row in source.indices {
            var next = [row + 1]
            for column in target.indices {
                let replaced = current[column] + (source[row] == target[column] ? 0 : 1)
                var best = min(replaced, current[column + 1] + 1, next[column] + 1)
                if row > 0, column > 0, source[row] == target[column - 1], source[row - 1] == target[column] {
                    best = min(best, previous[column - 1] + 1)
                }
                next.append(best)
            }
            (previous, current) = (current, next)
        }
        return current[target.count]
    }
}
