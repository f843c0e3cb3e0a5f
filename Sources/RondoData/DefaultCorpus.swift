import RondoIO
import RondoTensor

/// The text to train on when none is named: the project's own documentation and sources.
///
/// It is looked for rather than compiled in: it is there in every checkout, it costs the binary nothing, and it can be
/// read before it is used.
public enum DefaultCorpus {
    /// What of a checkout makes up the text, in this order.
    private static let contents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "Sources"]

    /// Finds the checkout that holds the working directory or the executable.
    ///
    /// - Returns: Paths for ``Corpus/load(_:separator:)-([String],_)``.
    /// - Throws: `RondoError` with code `notFound` if there is no checkout.
    public static func locate() throws -> [String] {
        try locate(from: [
            FileSystem.canonical("."), FileSystem.parent(of: FileSystem.canonical(CommandLine.arguments[0])),
        ])
    }

    /// Finds the checkout that holds one of the folders and returns the files and folders of the text.
    ///
    /// - Parameter folders: Where to look, each with the folders above it; usually the working directory and the
    ///   folder of the executable, as absolute paths.
    /// - Returns: Paths for ``Corpus/load(_:separator:)-([String],_)``.
    /// - Throws: `RondoError` with code `notFound` if there is no checkout.
    public static func locate(from folders: [String]) throws -> [String] {
        for folder in folders {
            if let root = ancestors(of: folder).first(where: isCheckout) {
                return contents.map { FileSystem.join(root, $0) }.filter { FileSystem.kind(of: $0) != nil }
            }
        }
        throw RondoError(
            .notFound,
            "no text was named, and the project's own is not here: there is no checkout of Rondo at or above "
                + "\(folders.joined(separator: ", ")); name a file, a folder or - for standard input with --text")
    }

    /// The folder itself, then those above it, without trailing slashes.
    private static func ancestors(of folder: String) -> [String] {
        let parts = folder.split(separator: "/")
        return (0...parts.count).reversed().map { "/" + parts[..<$0].joined(separator: "/") }
    }

    /// Whether a folder is a checkout: its manifest names this package and its sources are there.
    private static func isCheckout(_ folder: String) -> Bool {
        guard FileSystem.kind(of: FileSystem.join(folder, "Sources/RondoData")) == .folder,
            let manifest = try? FileSystem.readText(FileSystem.join(folder, "Package.swift"))
        else { return false }
        return manifest.contains("name: \"rondo\"")
    }
}
