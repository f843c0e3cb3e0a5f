import RondoModels
import RondoNN
import RondoTensor

extension RecurrentLanguageModel {
    /// What a parameter is to an optimiser; the gates of an input matrix are matrices of their own.
    func role(path: String, shape: [Int]) -> ParameterRole {
        let role = ParameterRole(path: path, shape: shape)
        guard case .matrix = role, path.hasSuffix(".weight") else { return role }
        return .matrix(blocks: configuration.recurrent.cell.inputGates.count)
    }
}
