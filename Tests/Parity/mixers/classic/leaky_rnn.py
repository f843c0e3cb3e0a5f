"""The leaky network with learned time constants, by torch's functions.

Besides the vectors of the mixer, derivatives of a cell, from torch's autograd:
Tests/RondoNNTests/Vectors/leaky_gradients.safetensors.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from vectors import Case

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "RondoNNTests" / "Vectors"


def with_diagonal(rows):
    """[H, H - 1] of weights from all others, as a matrix with zeros on the diagonal."""
    units = rows.shape[0]
    matrix = torch.zeros(units, units)
    for i in range(units):
        others = [j for j in range(units) if j != i]
        matrix[i, others] = rows[i]
    return matrix


def run(x, h, weight, bias, matrix, recurrent_bias, tau, slope=0.01, inside=True):
    rate, outputs = 1 / tau.clamp(min=1), []
    for t in range(x.shape[1]):
        drive = F.linear(x[:, t], weight, bias) + F.linear(h, matrix, recurrent_bias)
        if inside:
            h = F.leaky_relu((1 - rate) * h + rate * drive, slope)
        else:
            h = (1 - rate) * h + rate * F.leaky_relu(drive, slope)
        outputs.append(h)
    return torch.stack(outputs, 1), h


def default():
    case = Case("leaky_rnn", 4, hidden_size=6)
    weight, bias = case.draw("weight", 6, 4), case.draw("bias", 6)
    rows, recurrent_bias = case.draw("recurrent", 6, 5), case.draw("recurrent_bias", 6)
    tau = case.put("time_constant", torch.tensor([0.5, 1.0, 1.2, 1.7, 3.0, 20.0]))
    output = case.draw("output.weight", 4, 6)
    y, h = run(case.x, torch.zeros(2, 6), weight, bias, with_diagonal(rows), recurrent_bias, tau)
    case.save(y @ output.T, h=h)


def outside():
    case = Case(
        "leaky_rnn-outside", 5, leak="outside", activation_slope=0.2, fixed_time_constant=2.5, zero_diagonal=False
    )
    parameters = [case.draw(*p) for p in [("weight", 5, 5), ("bias", 5), ("recurrent", 5, 5), ("recurrent_bias", 5)]]
    y, h = run(case.x, torch.zeros(2, 5), *parameters, torch.tensor(2.5), 0.2, inside=False)
    case.save(y, h=h)


def gradients():
    torch.manual_seed(7)
    units, inputs = 5, 2
    names = ["weight", "bias", "recurrent", "recurrent_bias", "time_constant"]
    shapes = [(units, inputs), (units,), (units, units - 1), (units,)]
    values = [torch.randn(s) * 0.5 for s in shapes] + [torch.tensor([0.6, 1.1, 1.5, 2.0, 9.0])]
    values = [value.requires_grad_() for value in values]
    x, start = torch.randn(3, 9, inputs), torch.rand(3, units) * 0.1
    weight, bias, rows, recurrent_bias, tau = values
    y, _ = run(x, start, weight, bias, with_diagonal(rows), recurrent_bias, tau)
    cotangent = torch.randn_like(y)
    (y * cotangent).sum().backward()
    tensors = {"x": x, "start": start, "cotangent": cotangent, "y": y}
    tensors |= {f"parameter.{name}": value for name, value in zip(names, values)}
    tensors |= {f"gradient.{name}": value.grad for name, value in zip(names, values)}
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, VECTORS / "leaky_gradients.safetensors")


with torch.no_grad():
    default()
    outside()
gradients()
