import RondoMixers
import RondoModels
import RondoNN
import RondoTensor

extension LanguageModel {
    /// What a parameter is to an optimiser; a mixer says how many maps lie in one matrix.
    func role(path: String, shape: Shape) -> ParameterRole {
        let role = ParameterRole(path: path, shape: shape)
        let parts = path.split(separator: ".", maxSplits: 3)
        guard case .matrix = role, parts.count == 4, parts[0] == "layers", parts[2] == "mixer",
            let index = Int(parts[1]), layers.indices.contains(index)
        else { return role }
        return .matrix(blocks: layers[index].mixer.blockCount(ofParameter: String(parts[3])))
    }
}
