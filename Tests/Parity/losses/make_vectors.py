"""Writes Tests/RondoNNTests/Vectors/ctc.safetensors: torch's CTC loss and its derivatives on one ragged batch.

In float64: the loss of every sequence, the mean that divides by the numbers of labels, and the derivatives of a random
projection of the losses by the logits. Sequence 4 has no path and counts as 0 (zero_infinity).
Run from the root of the repository, with torch and safetensors:  python3 Tests/Parity/losses/make_vectors.py
"""

import torch
from safetensors.torch import save_file

BATCH, TIME, CLASSES, BLANK = 5, 9, 6, 2
FRAMES = [9, 7, 4, 9, 3]
LABELS = [[1, 1, 3], [0, 5, 4, 0], [3, 3], [], [5, 5, 1]]

generator = torch.Generator().manual_seed(0)
logits = (2 * torch.randn(BATCH, TIME, CLASSES, dtype=torch.float64, generator=generator)).requires_grad_()
weights = torch.rand(BATCH, dtype=torch.float64, generator=generator)
arguments = (
    torch.tensor([label for labels in LABELS for label in labels]),
    torch.tensor(FRAMES),
    torch.tensor([len(labels) for labels in LABELS]),
)
frames = logits.log_softmax(-1).transpose(0, 1)
losses = torch.nn.functional.ctc_loss(frames, *arguments, blank=BLANK, reduction="none", zero_infinity=True)
mean = torch.nn.functional.ctc_loss(frames, *arguments, blank=BLANK, reduction="mean", zero_infinity=True)
(gradient,) = torch.autograd.grad((losses * weights).sum(), logits)
save_file(
    {
        "logits": logits.detach(),
        "weights": weights,
        "losses": losses.detach(),
        "mean": mean.detach().reshape(1),
        "gradient": gradient,
    },
    "Tests/RondoNNTests/Vectors/ctc.safetensors",
)
