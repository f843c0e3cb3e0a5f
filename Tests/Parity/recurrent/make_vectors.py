"""Writes Tests/RondoNNTests/Vectors/recurrent.safetensors: torch's recurrent layers on one small problem.

Two layers in both directions over rows of different lengths, from a random state, in float64: outputs, final states
and the derivatives of a random projection of both, under the names and in the layout of RecurrentStack.
Run from the root of the repository, with torch, numpy and safetensors:  python3 Tests/Parity/recurrent/make_vectors.py
"""

import torch
from safetensors.torch import save_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

BATCH, TIME, INPUTS, HIDDEN, LAYERS = 3, 5, 3, 5, 2
LENGTHS = [5, 2, 4]
KINDS = {
    "lstm": lambda **options: torch.nn.LSTM(**options),
    "gru": lambda **options: torch.nn.GRU(**options),
    "elman_tanh": lambda **options: torch.nn.RNN(nonlinearity="tanh", **options),
    "elman_relu": lambda **options: torch.nn.RNN(nonlinearity="relu", **options),
}


def parameters(kind: str, values: dict[str, torch.Tensor], suffix: str, gradients: bool) -> dict[str, torch.Tensor]:
    """One layer in our layout. Our bias is the sum of torch's two, so its derivative is that of either."""
    weight, recurrent = values[f"weight_ih_{suffix}"], values[f"weight_hh_{suffix}"]
    bias, second = values[f"bias_ih_{suffix}"], values[f"bias_hh_{suffix}"]
    if kind != "gru":
        return {
            "weight": weight,
            "recurrent": recurrent.reshape(-1, 1, HIDDEN, HIDDEN),
            "bias": bias if gradients else bias + second,
        }
    # torch: r z n; ours: g (that is n) r z. The candidate's recurrent bias stays inside the reset gate.
    reset_and_update, candidate = recurrent[: 2 * HIDDEN], recurrent[2 * HIDDEN :]
    added = torch.cat([second[: 2 * HIDDEN], torch.zeros(HIDDEN, dtype=torch.float64)])
    return {
        "weight": weight,
        "recurrent": torch.cat([candidate, reset_and_update]).reshape(-1, 1, HIDDEN, HIDDEN),
        "bias": bias if gradients else bias + added,
        "extras": second[2 * HIDDEN :].reshape(1, HIDDEN),
    }


def states(names: list[str], values: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """torch stacks layer 0 forwards, layer 0 backwards, layer 1 forwards, ..."""
    result = {}
    for name, value in zip(names, values):
        for index in range(2 * LAYERS):
            direction = "reverse_layers" if index % 2 else "layers"
            result[f"{direction}.{index // 2}.{name}"] = value[index]
    return result


def case(kind: str) -> dict[str, torch.Tensor]:
    module = KINDS[kind](
        input_size=INPUTS, hidden_size=HIDDEN, num_layers=LAYERS, bidirectional=True, batch_first=True
    ).double()
    names = ["h", "c"] if kind == "lstm" else ["h"]
    x = torch.randn(BATCH, TIME, INPUTS, dtype=torch.float64, requires_grad=True)
    initial = [torch.randn(2 * LAYERS, BATCH, HIDDEN, dtype=torch.float64, requires_grad=True) for _ in names]
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    output, final = module(packed, tuple(initial) if kind == "lstm" else initial[0])
    output, _ = pad_packed_sequence(output, batch_first=True, total_length=TIME)
    final = list(final) if kind == "lstm" else [final]
    weight, final_weights = torch.randn_like(output), [torch.randn_like(value) for value in final]
    ((output * weight).sum() + sum((a * b).sum() for a, b in zip(final, final_weights))).backward()

    result = {"x": x, "x.gradient": x.grad, "output": output, "output.weight": weight}
    sets = {"state": initial, "state.gradient": [v.grad for v in initial], "final": final, "final.weight": final_weights}
    for prefix, values in sets.items():
        result |= {f"{prefix}/{name}": value for name, value in states(names, values).items()}
    values = dict(module.named_parameters())
    gradients = {name: value.grad for name, value in values.items()}
    for layer in range(LAYERS):
        for direction, suffix in (("layers", ""), ("reverse_layers", "_reverse")):
            for prefix, source in (("parameter", values), ("gradient", gradients)):
                own = parameters(kind, source, f"l{layer}{suffix}", prefix == "gradient")
                result |= {f"{prefix}/{direction}.{layer}.{name}": value for name, value in own.items()}
    return {f"{kind}/{name}": value.detach().clone().contiguous() for name, value in result.items()}


def main() -> None:
    torch.manual_seed(0)
    tensors = {}
    for kind in KINDS:
        tensors |= case(kind)
    save_file(tensors, "Tests/RondoNNTests/Vectors/recurrent.safetensors", {"torch": torch.__version__})


main()
