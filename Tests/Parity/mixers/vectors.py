"""What the scripts that make vectors of mixers share: random parameters by path, small functions, the file format.

Each script writes Tests/RondoMixersTests/Vectors/<mixer>[-<case>].safetensors: `x`, `y`, `state.<leaf>` and
`parameter.<path>` in float64, with the options and the width as metadata. Run the scripts from the root of the
repository, with torch, transformers and safetensors, for example:

    python3 Tests/Parity/mixers/delta_rule/make_vectors.py
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "RondoMixersTests" / "Vectors"
torch.set_default_dtype(torch.float64)


class Case:
    """One file: draw parameters with `draw`, then `save` what the oracle says."""

    def __init__(self, file, d_model, time=11, **options):
        self.file, self.d_model, self.options = file, d_model, options
        torch.manual_seed(sum(map(ord, file)))
        self.x = torch.randn(2, time, d_model)
        self.parameters = {}

    def draw(self, path, *shape, scale=None, shift=0.0):
        """A random parameter; by default so that maps keep the size of their inputs."""
        scale = shape[-1] ** -0.5 if scale is None else scale
        self.parameters[path] = torch.randn(*shape) * scale + shift
        return self.parameters[path]

    def put(self, path, value):
        self.parameters[path] = value.detach().clone()
        return value

    def save(self, y, **states):
        tensors = {"x": self.x, "y": y}
        tensors |= {f"state.{name}": value for name, value in states.items()}
        tensors |= {f"parameter.{path}": value for path, value in self.parameters.items()}
        tensors = {name: value.detach().double().contiguous().clone() for name, value in tensors.items()}
        assert all(bool(torch.isfinite(value).all()) for value in tensors.values()), self.file
        metadata = {"configuration": json.dumps(self.options), "d_model": str(self.d_model)}
        save_file(tensors, FOLDER / f"{self.file}.safetensors", metadata)
        print(self.file)


def rms(x, weight=1.0, eps=1e-5):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def layer_norm(x, weight=1.0, bias=0.0, eps=1e-5):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + eps) * weight + bias


def causal_conv(x, weight, bias=None):
    """x [batch, time, channels], weight [channels, width] by torch's convolution; also the last width - 1 inputs."""
    width = weight.shape[1]
    padded = F.pad(x.transpose(1, 2), (width - 1, 0))
    y = F.conv1d(padded, weight[:, None, :], bias, groups=weight.shape[0]).transpose(1, 2)
    history = padded[:, :, padded.shape[2] - (width - 1) :].transpose(1, 2)
    return y, history


def shift(x):
    """The position before, zeros before the first."""
    return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)


def heads(x, count):
    return x.unflatten(-1, (count, -1))


def as_float64(compute):
    """Runs a model whose code converts to float32 in float64 throughout."""
    narrow, conversion = torch.float32, torch.Tensor.float
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    try:
        return compute()
    finally:
        torch.float32, torch.Tensor.float = narrow, conversion
