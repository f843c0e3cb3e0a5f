/// Digests of the first examples of every task.
enum FrozenTasks {
    static let digests: [String: String] = [:]
}
