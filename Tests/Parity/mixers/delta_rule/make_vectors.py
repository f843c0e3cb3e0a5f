"""Delta rules: DeltaNet, Gated DeltaNet and DeltaProduct (transitions as matrices), RWKV-7."""

import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from vectors import Case, causal_conv, heads, layer_norm, rms, shift


def unit(x):
    return x / torch.sqrt((x * x).sum(-1, keepdim=True) + 1e-6)


def delta(name, d_model, key, value, **options):
    """Transition matrices I - β k kᵀ, written out and multiplied."""
    case = Case(name, d_model, **options)
    count, steps = options["heads"], options.get("steps", 1)
    gated = options.get("gated", name.startswith("gated"))
    output_gate = name.startswith("gated")
    width = options.get("conv_width", 4)
    mixed = key + steps * (key + value)
    x = case.x
    maps = case.draw("input.weight", mixed + (value if output_gate else 0), d_model)
    all = x @ maps.T
    own, gate = all[..., :mixed], all[..., mixed:]
    history = {}
    if width:
        own, history["conv"] = causal_conv(own, case.draw("conv.weight", mixed, width, scale=0.6))
    own = F.silu(own)
    rates = x @ case.draw("rates.weight", count * (steps + gated), d_model).T
    if gated:
        a_log = case.draw("a_log", count, scale=0.5)
        offsets = case.draw("time_step_bias", count, scale=0.5)
        alpha = torch.exp(-torch.exp(a_log) * F.softplus(rates[..., steps * count :] + offsets))
    gain = case.draw("norm.weight", value // count, shift=1.0)
    output = case.draw("output.weight", d_model, value)
    q, rest = heads(own[..., :key], count), own[..., key:]
    keys = [heads(rest[..., i * key : (i + 1) * key], count) for i in range(steps)]
    values = [heads(rest[..., steps * key + i * value : steps * key + (i + 1) * value], count) for i in range(steps)]
    beta = torch.sigmoid(rates[..., : steps * count]) * (2 if options.get("eigenvalues") == "symmetric" else 1)
    q = unit(q) * (key // count) ** -0.5
    state, ys = torch.zeros(2, count, key // count, value // count), []
    identity = torch.eye(key // count)
    for t in range(x.shape[1]):
        if gated:
            state = alpha[:, t, :, None, None] * state
        for i in range(steps):
            k, b = unit(keys[i][:, t]), beta[:, t, i * count : (i + 1) * count, None, None]
            outer = k[..., :, None] @ k[..., None, :]
            state = (identity - b * outer) @ state + b * (k[..., :, None] @ values[i][:, t][..., None, :])
        ys.append((q[:, t][..., None, :] @ state)[..., 0, :])
    o = torch.stack(ys, 1)
    if steps == 1:
        agree_with_transformers(unit(keys[0]), q, values[0], beta, torch.log(alpha) if gated else None, o)
    read = rms(o, gain).flatten(-2)
    if output_gate:
        read = read * F.silu(gate)
    case.save(read @ output.T, s=state, **history)


def agree_with_transformers(k, q, v, beta, g, expected):
    """Their loop computes in float32."""
    from transformers.models.qwen3_next.modeling_qwen3_next import torch_recurrent_gated_delta_rule as rule

    g = torch.zeros_like(beta) if g is None else g
    theirs, _ = rule(q * q.shape[-1] ** 0.5, k, v, g=g, beta=beta)
    assert torch.allclose(theirs.double(), expected, rtol=1e-4, atol=1e-5), (theirs - expected).abs().max()


def rwkv7():
    """The state as [value, key], S (diag(w) - κ̂ᵀ (a ⊙ κ̂)) + vᵀ k̃, as the paper writes it."""
    case = Case("rwkv7", 6, heads=2, decay_rank=2, rate_rank=3, gate_rank=4)
    x, before = case.x, shift(case.x)
    mix = case.draw("mix", 6, 6, scale=0.5, shift=0.5)
    w_r, w_k, w_v = (case.draw(f"maps.{index}.weight", 6, 6) for index in range(3))

    def low_rank(name, rank, bias):
        down, up = case.draw(f"{name}.down.weight", rank, 6), case.draw(f"{name}.up.weight", 6, rank)
        return down, up, case.draw(f"{name}.up.bias", 6, scale=0.7) if bias else 0

    wd, wu, wb = low_rank("decay", 2, True)
    ad, au, ab = low_rank("rate", 3, True)
    gd, gu, _ = low_rank("gate", 4, False)
    scales = case.draw("key_scales", 2, 6, scale=0.4, shift=0.8)
    bonus = case.draw("bonus", 2, 3, scale=0.7)
    gain, offset = case.draw("norm.weight", 2, 3, shift=1.0), case.draw("norm.bias", 2, 3)
    output = case.draw("output.weight", 6, 6)
    x_r, x_w, x_k, x_v, x_a, x_g = (x + (before - x) * mix[c] for c in range(6))
    r, k, v = x_r @ w_r.T, x_k @ w_k.T, x_v @ w_v.T
    w = torch.exp(-(torch.tensor(-0.5).exp()) * torch.sigmoid(torch.tanh(x_w @ wd.T) @ wu.T + wb))
    a = torch.sigmoid(x_a @ ad.T @ au.T + ab)
    g = torch.sigmoid(x_g @ gd.T) @ gu.T
    kappa = unit(heads(k * scales[0], 2))
    k = k * (1 + (a - 1) * scales[1])
    r, k, v, w, a = (heads(value, 2) for value in (r, k, v, w, a))
    state, ys = torch.zeros(2, 2, 3, 3), []
    for t in range(x.shape[1]):
        row = kappa[:, t]
        transition = torch.diag_embed(w[:, t]) - row[..., :, None] @ (a[:, t] * row)[..., None, :]
        state = state @ transition + v[:, t][..., :, None] @ k[:, t][..., None, :]
        ys.append((state @ r[:, t][..., None])[..., 0])
    o = layer_norm(torch.stack(ys, 1), gain, offset, eps=64e-5)
    o = o + (r * bonus * k).sum(-1, keepdim=True) * v
    case.save((o.flatten(-2) * g) @ output.T, s=state.transpose(-1, -2), shift=x[:, -1])


with torch.no_grad():
    delta("delta_net", 6, 6, 6, heads=2)
    delta("delta_net-symmetric", 4, 4, 8, heads=1, expand_value=2.0, conv_width=0, eigenvalues="symmetric")
    delta("gated_delta_net", 8, 6, 12, heads=2)
    delta("gated_delta_net-symmetric", 4, 3, 6, heads=3, conv_width=2, eigenvalues="symmetric")
    delta("delta_product", 6, 6, 6, heads=2, steps=2, gated=False)
    delta("delta_product-gated", 4, 4, 4, heads=1, steps=3, gated=True, conv_width=3, eigenvalues="symmetric")
    rwkv7()
