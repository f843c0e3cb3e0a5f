"""Writes tiny random checkpoints as flash-linear-attention saves them, with logits computed by the equations.

    python3 Tests/Parity/checkpoints/write_fla_checkpoints.py [NAME ...]

needs torch, transformers and flash-linear-attention (0.6.0 wrote the committed ones) with triton and einops. The folders
are those of write_checkpoints.py. The library makes and saves the models. Logits are those of the functions below, in
float64, position by position with the states as matrices; the library's own kernels, which compute in float32, are run
by triton's interpreter (no GPU is needed) and must agree.
"""
import os

os.environ["TRITON_INTERPRET"] = "1"

import math
import sys

import torch
import torch.nn.functional as F
import transformers
import triton.runtime.autotuner
from safetensors.torch import save_file

# Nothing is measured in the interpreter: the first configuration of a kernel is as good as any.
triton.runtime.autotuner.Autotuner._bench = lambda self, *args, **kwargs: [1.0, 1.0, 1.0]

import fla.models

from write_checkpoints import FOLDER, LENGTH, VOCABULARY, randomize


class Tensors:
    """The tensors of a model under a prefix."""

    def __init__(self, state, prefix=""):
        self.state, self.prefix = state, prefix

    def under(self, name):
        return Tensors(self.state, f"{self.prefix}{name}.")

    def __contains__(self, name):
        return self.prefix + name in self.state

    def __getitem__(self, name):
        return self.state[self.prefix + name]

    def map(self, name, x):
        y = x @ self[f"{name}.weight"].T
        return y + self[f"{name}.bias"] if f"{name}.bias" in self else y

    def conv(self, name, x):
        """SiLU of a causal convolution with a filter for each channel; without filters, SiLU alone."""
        if f"{name}.weight" in self:
            taps = self[f"{name}.weight"][:, 0]
            padded = F.pad(x, (0, 0, taps.shape[1] - 1, 0))
            x = sum(padded[:, i : i + x.shape[1]] * taps[:, i] for i in range(taps.shape[1]))
        return F.silu(x)

    def rms(self, name, x, eps):
        return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * self[f"{name}.weight"]

    def layer_norm(self, name, x, eps):
        return F.layer_norm(x, x.shape[-1:], self[f"{name}.weight"], self[f"{name}.bias"], eps)


def heads(x, count):
    return x.unflatten(-1, (count, -1))


def unit(x, eps=1e-6):
    return x / (x.square().sum(-1, keepdim=True) + eps).sqrt()


def before(x):
    return F.pad(x, (0, 0, 1, 0))[:, :-1]


def read(q, transition, write):
    """o_t = S_tᵀ q_t of S_t = transition(t) S_{t-1} + write(t), all states [batch, heads, key, value]."""
    state, outputs = 0, []
    for t in range(q.shape[1]):
        state = (transition(t) @ state if t else 0) + write(t)
        outputs.append((q[:, t, :, None, :] @ state)[..., 0, :])
    return torch.stack(outputs, 1)


def outer(k, v):
    return k[..., :, None] * v[..., None, :]


def gla(w, x, c):
    q, k, v, g = (heads(w.map(f"{n}_proj", x), c.num_heads) for n in "qkvg")
    decay = heads(torch.sigmoid(w.map("gk_proj.1", w.map("gk_proj.0", x))) ** (1 / 16), c.num_heads)
    o = read(q * q.shape[-1] ** -0.5, lambda t: torch.diag_embed(decay[:, t]), lambda t: outer(k[:, t], v[:, t]))
    return w.map("o_proj", (w.rms("g_norm_swish_gate", o, c.norm_eps) * F.silu(g)).flatten(-2))


def delta_rule(w, x, c, key_heads, value_heads, alpha=None):
    def units(name):
        return unit(heads(w.conv(f"{name}_conv1d", w.map(f"{name}_proj", x)), key_heads)).repeat_interleave(
            value_heads // key_heads, -2)

    q, k = units("q"), units("k")
    v = heads(w.conv("v_conv1d", w.map("v_proj", x)), value_heads)
    beta = torch.sigmoid(w.map("b_proj", x)) * (2 if c.allow_neg_eigval else 1)
    alpha = torch.ones_like(beta) if alpha is None else alpha

    def transition(t):
        kept = torch.eye(k.shape[-1]) - beta[:, t, :, None, None] * outer(k[:, t], k[:, t])
        return alpha[:, t, :, None, None] * kept

    o = read(q * q.shape[-1] ** -0.5, transition, lambda t: beta[:, t, :, None, None] * outer(k[:, t], v[:, t]))
    o = w.rms("o_norm", o, c.norm_eps)
    if c.use_gate:
        o = o * F.silu(heads(w.map("g_proj", x), value_heads))
    return w.map("o_proj", o.flatten(-2))


def delta_net(w, x, c):
    return delta_rule(w, x, c, c.num_heads, c.num_heads)


def gated_deltanet(w, x, c):
    alpha = torch.exp(-torch.exp(w["A_log"]) * F.softplus(w.map("a_proj", x) + w["dt_bias"]))
    return delta_rule(w, x, c, c.num_heads, c.num_v_heads or c.num_heads, alpha)


def transformer(w, c, ids, mixer):
    """Mixers and SwiGLU in residual blocks."""
    x = w["embeddings.weight"][ids]
    for i in range(c.num_hidden_layers):
        layer = w.under(f"layers.{i}")
        x = x + mixer(layer.under("attn"), layer.rms("attn_norm", x, c.norm_eps), c)
        u, mlp = layer.rms("mlp_norm", x, c.norm_eps), layer.under("mlp")
        x = x + mlp.map("down_proj", F.silu(mlp.map("gate_proj", u)) * mlp.map("up_proj", u))
    return w.rms("norm", x, c.norm_eps)


def rwkv7_time_mix(w, x, c, first):
    def lora(name, u, inside=lambda z: z):
        return w.under(f"{name}_lora").map("lora.2", inside(w.map(f"{name}_lora.lora.0", u)))

    mixed = {n: x + (before(x) - x) * w[f"x_{n}"] for n in "rwkvag"}
    r, k, v = (w.map(f"{n}_proj", mixed[n]) for n in "rkv")
    decay = torch.exp(-math.exp(-0.5) * torch.sigmoid(lora("w", mixed["w"], torch.tanh)))
    if first is None:
        first = v
    else:
        share = torch.sigmoid(lora("v", mixed["v"]))
        v = (1 - share) * v + share * first
    a, g = torch.sigmoid(lora("a", mixed["a"])), lora("g", mixed["g"], torch.sigmoid)
    count = c.hidden_size // c.head_dim
    kappa = unit(heads(k * w["k_k"], count), 1e-6 if c.fuse_norm else 0)
    k = k * (1 + (a - 1) * w["k_a"])
    r, k, v, decay, a = (heads(z, count) for z in (r, k, v, decay, a))

    def transition(t):
        return torch.diag_embed(decay[:, t]) - outer(kappa[:, t] * a[:, t], kappa[:, t])

    o = read(r, transition, lambda t: outer(k[:, t], v[:, t]))
    o = F.group_norm(
        o.flatten(0, 1).flatten(1), count, w["g_norm.weight"], w["g_norm.bias"], c.head_dim * c.norm_eps)
    o = o.view(x.shape) + ((r * k * w["r_k"]).sum(-1, keepdim=True) * v).flatten(-2)
    return w.map("o_proj", o * g), first


def rwkv7(w, c, ids):
    x, first = w["embeddings.weight"][ids], None
    if c.norm_first:
        x = w.layer_norm("layers.0.pre_norm", x, c.norm_eps)
    for i in range(c.num_hidden_layers):
        layer = w.under(f"layers.{i}")
        y, first = rwkv7_time_mix(layer.under("attn"), layer.layer_norm("attn_norm", x, c.norm_eps), c, first)
        x = x + y
        u, ffn = layer.layer_norm("ffn_norm", x, c.norm_eps), layer.under("ffn")
        x = x + ffn.map("value", F.relu(ffn.map("key", u + (before(u) - u) * ffn["x_k"])).square())
    return w.layer_norm("norm", x, c.norm_eps)


def hidden_states(w, config, ids):
    if config.model_type == "rwkv7":
        return rwkv7(w, config, ids)
    mixers = {"gla": gla, "delta_net": delta_net, "gated_deltanet": gated_deltanet}
    return transformer(w, config, ids, mixers[config.model_type])


SHAPE = dict(vocab_size=VOCABULARY, num_hidden_layers=2)
TRANSFORMER = SHAPE | dict(intermediate_size=12, num_heads=2)
RWKV = SHAPE | dict(
    hidden_size=12, head_dim=6, num_hidden_layers=3, intermediate_size=20, decay_low_rank_dim=2, gate_low_rank_dim=4,
    a_low_rank_dim=3, v_low_rank_dim=2)
CHECKPOINTS = {
    "gla": fla.models.GLAConfig(**TRANSFORMER, hidden_size=12),
    "gla-sizes": fla.models.GLAConfig(
        **TRANSFORMER, hidden_size=8, expand_k=1, expand_v=2, norm_eps=1e-3, tie_word_embeddings=True),
    "delta_net": fla.models.DeltaNetConfig(**TRANSFORMER, hidden_size=12),
    "delta_net-gate": fla.models.DeltaNetConfig(
        **TRANSFORMER, hidden_size=8, use_gate=True, use_short_conv=False, allow_neg_eigval=True, expand_v=2,
        norm_eps=1e-3),
    "gated_deltanet": fla.models.GatedDeltaNetConfig(**TRANSFORMER, hidden_size=8, head_dim=3, num_v_heads=2),
    "gated_deltanet-groups": fla.models.GatedDeltaNetConfig(
        **TRANSFORMER, hidden_size=8, head_dim=4, num_v_heads=4, expand_v=0.5, use_gate=False, allow_neg_eigval=True,
        conv_size=3, norm_eps=1e-3),
    "rwkv7": fla.models.RWKV7Config(**RWKV),
    "rwkv7-torch": fla.models.RWKV7Config(
        **RWKV | dict(hidden_size=8, head_dim=8), fuse_norm=False, norm_first=False, norm_eps=1e-3,
        tie_word_embeddings=True),
}


def write(name, config):
    torch.manual_seed(sum(name.encode()))
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    randomize(model)
    folder = FOLDER / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    ids = torch.randint(0, VOCABULARY, (2, LENGTH))
    with torch.no_grad():
        theirs = model(ids, use_cache=False).logits
        state = {path: tensor.double() for path, tensor in model.state_dict().items()}
        torch.set_default_dtype(torch.float64)
        logits = hidden_states(Tensors(state, "model."), config, ids) @ state["lm_head.weight"].T
        torch.set_default_dtype(torch.float32)
    error = ((theirs - logits).abs().max() / logits.abs().max()).item()
    assert error < 1e-5, (name, error)
    save_file({"ids": ids.int(), "logits": logits.contiguous()}, folder / "expected.safetensors")
    print(name, sum(p.numel() for p in model.parameters()), "parameters; the library's kernels differ by", error)


if __name__ == "__main__":
    for name in sys.argv[1:] or CHECKPOINTS:
        write(name, CHECKPOINTS[name])
