/// What a recurrent model remembers between pieces of a sequence.
public protocol CarriedState: Sendable {
    /// The same values, cut off from derivatives, as truncated back-propagation carries them on.
    func detached() -> Self
}

extension RecurrentState: CarriedState {}
