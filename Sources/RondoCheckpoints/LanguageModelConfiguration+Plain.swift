import RondoModels
import RondoTensor

extension LanguageModelConfiguration {
    /// Refuses to write what a family of one mixer and plain residual blocks does not have.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` that names the key.
    func requirePlainBackbone(
        family: String, mixer: String, norm: Norm, feedForward: FeedForwardKind = .none, hasLogitSoftCap: Bool = false
    ) throws {
        func need(_ fits: Bool, _ key: String, _ value: Any, _ wanted: String) throws {
            guard !fits else { return }
            throw RondoError(
                .invalidArgument, "\(family) cannot hold this model: \(key) is \(value), must be \(wanted)")
        }
        try need(Set(everyLayer.map(\.mixer)) == [mixer], "mixer", shortName, mixer)
        try need(layers == nil, "layers", "a list", "absent: all layers alike")
        try need(self.norm == norm, "norm", self.norm.rawValue, norm.rawValue)
        try need(residual, "residual", residual, "true")
        try need(self.feedForward == feedForward, "feed_forward", self.feedForward.rawValue, feedForward.rawValue)
        try need(embeddingScale == 1, "embedding_scale", embeddingScale, "1")
        try need(embeddingNorm == .none, "embedding_norm", embeddingNorm.rawValue, "none")
        try need(hasLogitSoftCap || logitSoftCap == nil, "logit_soft_cap", logitSoftCap ?? 0, "absent")
        try need(tieEmbeddings || !headBias, "head_bias", headBias, "false")
        try need(!feedForwardBias, "feed_forward_bias", feedForwardBias, "false")
    }
}
