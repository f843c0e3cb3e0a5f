public import RondoNN
public import RondoTensor

/// Truncated back-propagation through time with two lengths (Williams and Peng, 1990): every k₁ positions the losses of
/// those positions are sent back through at most k₂ positions.
///
/// Values of the state carry over, derivatives stop. k₁ = k₂ is the common form of chunks; with k₁ = the whole length
/// and k₂ at least as much it is full back-propagation. States are kept as values, so a window of k₂ > k₁ is read again
/// from its beginning, k₂ / k₁ times in all.
public struct TruncatedBackpropagation: Sendable, Equatable {
    /// k₁: positions between two backward passes.
    public let interval: Int
    /// k₂: the furthest that derivatives go back.
    public let span: Int

    /// Creates the rule.
    ///
    /// - Parameters:
    ///   - interval: k₁, at least 1.
    ///   - span: k₂, at least k₁: the losses of all positions count.
    /// - Throws: `RondoError` of code `invalidArgument`.
    public init(interval: Int, span: Int) throws {
        try requireValue(interval >= 1, "interval", interval, "at least 1")
        try requireValue(span >= interval, "span", span, "at least the interval, which is \(interval)")
        self.interval = interval
        self.span = span
    }

    /// What one backward pass reads.
    public struct Window: Sendable, Equatable {
        /// Where derivatives end: the state before this position is a constant.
        public var start: Int
        /// Where the next window starts, within this one or at its end.
        public var nextStart: Int
        /// The positions whose losses count, at the end of the window.
        public var scored: Range<Int>
    }

    /// The windows of a sequence, in order.
    public func windows(length: Int) -> [Window] {
        stride(from: 0, to: length, by: interval).map { begin in
            let end = min(length, begin + interval)
            return Window(
                start: max(0, end - span), nextStart: max(0, min(length, end + interval) - span), scored: begin..<end)
        }
    }

    /// Reads some positions of a sequence with a module: moves the state on and returns the sum of their losses.
    public typealias Reader<Model, State> =
        (_ model: Model, _ positions: Range<Int>, _ state: inout State) throws -> Tensor

    /// The loss of a window and its gradients.
    ///
    /// - Parameters:
    ///   - window: The window.
    ///   - model: The module.
    ///   - state: The state before the window; becomes the one before the next, without derivatives.
    ///   - read: Reads some positions.
    /// - Returns: The sum of the losses that count, and its gradients.
    /// - Throws: what `read` throws.
    public func gradients<Model: Module, State: CarriedState>(
        of window: Window, _ model: Model, state: inout State, _ read: Reader<Model, State>
    ) throws -> (loss: Double, gradients: ParameterSet) {
        let cuts = Set([window.start, window.nextStart, window.scored.lowerBound, window.scored.upperBound]).sorted()
            .filter { (window.start...window.scored.upperBound).contains($0) }
        let before = state.detached()
        let (loss, gradients, next) = try model.valueGradientsAndExtra { model in
            var (state, next) = (before, before)
            var total: Tensor?
            for (begin, end) in zip(cuts, cuts.dropFirst()) {
                let loss = try read(model, begin..<end, &state)
                if end == window.nextStart { next = state.detached() }
                if window.scored.contains(begin) { total = try total.map { try $0 + loss } ?? loss }
            }
            return try (total ?? Tensor.zeros([]), next)
        }
        state = next
        return try (loss.scalar(), gradients)
    }

    /// The gradients of a whole sequence with one set of parameters: the sum over its windows.
    ///
    /// - Parameters:
    ///   - model: The module.
    ///   - length: The positions of the sequence.
    ///   - state: The state before it.
    ///   - read: Reads some positions.
    /// - Returns: The sum of all losses and the truncated gradients.
    /// - Throws: what `read` throws.
    public func gradients<Model: Module, State: CarriedState>(
        _ model: Model, length: Int, state: State, _ read: Reader<Model, State>
    ) throws -> (loss: Double, gradients: ParameterSet) {
        var state = state
        var total = 0.0
        var sum: ParameterSet?
        for window in windows(length: length) {
            let (loss, gradients) = try self.gradients(of: window, model, state: &state, read)
            total += loss
            guard var before = sum else {
                sum = gradients
                continue
            }
            for index in before.tensors.indices {
                before.tensors[index] = try before.tensors[index] + gradients.tensors[index]
            }
            sum = before
        }
        let zeros = try model.parameters.tensors.map { try Tensor.zeros($0.shape, dtype: $0.dtype) }
        return (total, sum ?? ParameterSet(paths: model.parameters.paths, tensors: zeros))
    }
}

extension Learner {
    /// Reads a sequence and does one step for every window of truncated back-propagation.
    ///
    /// - Parameters:
    ///   - rule: The two lengths.
    ///   - length: The positions of the sequence.
    ///   - state: The state before it, without derivatives.
    ///   - rateMultiplier: What multiplies the learning rate.
    ///   - read: Reads some positions: moves the state on and returns the sum of their losses.
    /// - Returns: The measurements of the steps; losses are means over the positions of a window.
    /// - Throws: `RondoError` of code `notFinite` if a loss or a gradient is not finite; the steps before it are done.
    @discardableResult
    public mutating func steps<State: CarriedState>(
        by rule: TruncatedBackpropagation, length: Int, from state: State, rateMultiplier: Double = 1,
        _ read: TruncatedBackpropagation.Reader<Model, State>
    ) throws -> [Outcome] {
        var state = state
        return try rule.windows(length: length).map { window in
            let count = Double(window.scored.count)
            let (loss, gradients) = try rule.gradients(of: window, model, state: &state) { model, positions, state in
                try read(model, positions, &state) / count
            }
            return try step(rateMultiplier: rateMultiplier, loss: loss, gradients: gradients)
        }
    }
}
