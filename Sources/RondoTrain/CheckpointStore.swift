/// Where a run keeps its checkpoints.
public protocol CheckpointStore: AnyObject {
    /// Publishes a checkpoint atomically and removes those that are no longer kept.
    ///
    /// - Parameters:
    ///   - step: The number of steps done.
    ///   - isBest: Whether it is the best so far; the store keeps the latest best one whatever its age.
    ///   - write: Fills the folder whose path it is given.
    /// - Returns: The path of the checkpoint.
    /// - Throws: What `write` throws, or a `RondoError` that names the path; older checkpoints then stay.
    func save(step: Int, isBest: Bool, _ write: (_ folder: String) throws -> Void) throws -> String
}
