/// Key names on disk are snake_case, property names camelCase.
enum SnakeCase {
    /// `dModel` gives `d_model`, `useURLCache` gives `use_url_cache`; names that are snake_case already stay.
    static func encode(_ name: String) -> String {
        let letters = Array(name)
        var result = ""
        for (index, letter) in letters.enumerated() {
            let startsWord =
                letter.isUppercase && index > 0 && letters[index - 1] != "_"
                && (!letters[index - 1].isUppercase || (index + 1 < letters.count && letters[index + 1].isLowercase))
            if startsWord { result += "_" }
            result += letter.lowercased()
        }
        return result
    }

    /// `d_model` gives `dModel`; an underscore in front stays.
    static func decode(_ name: String) -> String {
        let isPrivate = name.hasPrefix("_")
        let words = name.split(separator: "_")
        guard let first = words.first else { return name }
        let tail = words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }
        return (isPrivate ? "_" : "") + first + tail.joined()
    }
}
