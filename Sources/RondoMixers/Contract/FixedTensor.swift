public import RondoTensor

/// A tensor of a mixer that is not trained: a constant of its mathematics, such as a HiPPO matrix.
///
/// The conformance suite refuses tensors that are neither visited as parameters nor declared fixed by this type.
public struct FixedTensor: Sendable {
    /// The constant.
    public let tensor: Tensor

    /// Declares a tensor constant.
    public init(_ tensor: Tensor) { self.tensor = tensor.detached() }
}
