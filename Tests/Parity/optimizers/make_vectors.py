"""Writes Tests/RondoTrainTests/Vectors/optimizers.json: 20 steps of torch's optimisers on one small problem.

The gradient of step t is fixed in advance, so that only the update rule is compared. Needs torch 2.9 or later
(for torch.optim.Muon). Run from the root of the repository:  python3 Tests/Parity/optimizers/make_vectors.py
"""

import json
import pathlib

import torch
import torch.optim._muon


def orthogonalize(matrix, coefficients, steps, epsilon):
    """Newton-Schulz as torch does it, but in float64 throughout: torch rounds to bfloat16."""
    a, b, c = coefficients
    x = matrix.double() if matrix.size(0) <= matrix.size(1) else matrix.double().T
    x = x / x.norm().clamp(min=epsilon)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if matrix.size(0) <= matrix.size(1) else x.T).to(matrix.dtype)


torch.optim._muon._zeropower_via_newtonschulz = orthogonalize

ROWS, COLUMNS, STEPS = 3, 5, 20
SETTINGS = {
    "sgd": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, weight_decay=0.05)),
    "sgd_nesterov": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05)),
    "sgd_plain": (torch.optim.SGD, dict(lr=0.1, momentum=0, weight_decay=0.05)),
    "adamw": (torch.optim.AdamW, dict(lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)),
    "muon": (torch.optim.Muon, dict(lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")),
    "muon_original": (torch.optim.Muon, dict(lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="original")),
}


def main() -> None:
    torch.manual_seed(0)
    start = torch.randn(ROWS, COLUMNS)
    gradients = torch.randn(STEPS, ROWS, COLUMNS)
    results = {}
    for name, (optimizer_type, options) in SETTINGS.items():
        parameter = torch.nn.Parameter(start.clone())
        optimizer = optimizer_type([parameter], **options)
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
        results[name] = parameter.detach().flatten().tolist()
    vectors = {
        "torch": torch.__version__,
        "shape": [ROWS, COLUMNS],
        "start": start.flatten().tolist(),
        "gradients": [g.flatten().tolist() for g in gradients],
        "results": results,
    }
    target = pathlib.Path(__file__).parents[2] / "RondoTrainTests" / "Vectors" / "optimizers.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(vectors, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
