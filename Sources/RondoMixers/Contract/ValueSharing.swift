public import RondoTensor

/// What a model hands to its layers, and these to those above them, within one pass at the positions that are being read.
///
/// No memory: it begins anew in every pass, over whatever piece of the sequence. What is remembered is in states.
public struct SharedValues: Sendable {
    /// The values of the first layer that gave any, `[batch, time, width]`, or `[batch, width]` in a step.
    public var first: Tensor?
    /// The tokens of a language model, int32 `[batch, time]`, or `[batch]` in a step; `nil` where there are none.
    public var tokens: Tensor?
    /// The lower bounds that layers learn together, of the layers above: each takes the first.
    public var lowerBounds: ArraySlice<LowerBound> = []

    /// Creates what a layer finds that is alone.
    public init() {}

    /// Creates what the lowest layer of a model finds.
    ///
    /// - Parameters:
    ///   - tokens: The tokens that are read, if there are any.
    ///   - layers: The mixers of the model from the bottom, some of which know something together.
    /// - Throws: `RondoError` if their widths differ.
    public init(tokens: Tensor? = nil, layers: [any SequenceMixer]) throws {
        self.tokens = tokens
        let logits = layers.compactMap { ($0 as? any LowerBoundedMixer)?.boundLogits }
        lowerBounds = ArraySlice(try LowerBound.cumulated(logits))
    }
}

/// A mixer that hands values to the layers above it, or takes them (RWKV-7), that knows something together with other
/// layers (HGRN), or that needs to know the tokens.
///
/// Alone it is the lowest layer of a model: every form of ``SequenceMixer`` is this one with nothing from below.
public protocol ValueSharingMixer: SequenceMixer {
    /// Reads a piece as a layer of a model.
    ///
    /// - Parameters:
    ///   - x: `[batch, time, dModel]`.
    ///   - state: The state before the piece; becomes the one after it.
    ///   - shared: What layers below handed up at these positions; becomes what those above find.
    /// - Returns: `[batch, time, dModel]`.
    /// - Throws: `RondoError` when shapes do not fit.
    func chunk(_ x: Tensor, state: inout MixerState, shared: inout SharedValues) throws -> Tensor

    /// Reads one position, `[batch, dModel]` to `[batch, dModel]`, as a layer of a model.
    func step(_ x: Tensor, state: inout MixerState, shared: inout SharedValues) throws -> Tensor
}

extension ValueSharingMixer {
    /// Reads a piece with nothing from below.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        var shared = SharedValues()
        return try chunk(x, state: &state, shared: &shared)
    }

    /// A chunk of one position.
    public func step(_ x: Tensor, state: inout MixerState, shared: inout SharedValues) throws -> Tensor {
        var piece = shared
        piece.first = try shared.first?.expanded(at: 1)
        piece.tokens = try shared.tokens?.expanded(at: 1)
        let y = try chunk(x.expanded(at: 1), state: &state, shared: &piece).squeezed(1)
        piece.first = try piece.first?.squeezed(1)
        piece.tokens = shared.tokens
        shared = piece
        return y
    }
}

extension SequenceMixer {
    /// Reads a piece as a layer of a model; mixers that share nothing pass on what they find.
    ///
    /// - Throws: `RondoError` when shapes do not fit.
    public func chunk(_ x: Tensor, state: inout MixerState, passing shared: inout SharedValues) throws -> Tensor {
        if let sharing = self as? any ValueSharingMixer {
            return try sharing.chunk(x, state: &state, shared: &shared)
        }
        return try chunk(x, state: &state)
    }

    /// Reads whole sequences from the beginning as a layer of a model; mixers that share nothing pass on what they find.
    ///
    /// - Throws: `RondoError` when shapes do not fit.
    public func parallel(_ x: Tensor, passing shared: inout SharedValues) throws -> Tensor {
        guard let sharing = self as? any ValueSharingMixer else { return try parallel(x) }
        var state = try initialState(batch: x.shape[0])
        return try sharing.chunk(x, state: &state, shared: &shared)
    }

    /// Reads one position as a layer of a model; mixers that share nothing pass on what they find.
    ///
    /// - Throws: `RondoError` when shapes do not fit.
    public func step(_ x: Tensor, state: inout MixerState, passing shared: inout SharedValues) throws -> Tensor {
        if let sharing = self as? any ValueSharingMixer {
            return try sharing.step(x, state: &state, shared: &shared)
        }
        return try step(x, state: &state)
    }
}
