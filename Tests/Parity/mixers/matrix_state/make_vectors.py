"""Linear attentions with decays: RetNet, GLA, HGRN2, mLSTM and Mamba-2 (transformers), RWKV-6, linear attention."""

import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from vectors import Case, as_float64, causal_conv, heads, layer_norm, rms, shift


def read_all(q, k, v, decay, bonus=None):
    """All pairs of positions, [batch, time, heads, width]: o_t = Σ_j (q_t · Π_{j < s ≤ t} decay_s k_j) v_j; and the state.

    With a bonus (RWKV) the state is read before it decays: the product stops at t - 1, and the present has a weight.
    """
    time = q.shape[1]
    outputs = []
    for t in range(time):
        o = 0
        for j in range(t + 1):
            last = t if bonus is not None else t + 1
            product = decay[:, j + 1 : last].prod(1)
            if bonus is not None and j == t:
                product = bonus
            o = o + (q[:, t] * product * k[:, j]).sum(-1, keepdim=True) * v[:, j]
        outputs.append(o)
    state = sum(
        (decay[:, j + 1 :].prod(1) * k[:, j])[..., :, None] * v[:, j][..., None, :] for j in range(time)
    )
    return torch.stack(outputs, 1), state


def linear_attention(name, feature_map, normalises):
    case = Case(name, 6, heads=2, feature_map=feature_map, normalizes_weights=normalises)
    maps, output = case.draw("input.weight", 18, 6), case.draw("output.weight", 6, 6)
    q, k, v = (heads(a, 2) for a in (case.x @ maps.T).split(6, -1))
    if feature_map == "elu":
        q, k = F.elu(q) + 1, F.elu(k) + 1
    elif feature_map == "relu":
        q, k = F.relu(q), F.relu(k)
    weights = torch.einsum("bthd,bjhd->bhtj", q, k).tril()
    o = torch.einsum("bhtj,bjhd->bthd", weights, v)
    state = torch.einsum("bjhk,bjhv->bhkv", k, v)
    if normalises:
        # Ours scales q, and so numerator and denominator, by 1/√d: it shows in the least denominator 1e-6 only.
        scale = 3**-0.5
        total = (weights * scale).sum(-1).transpose(1, 2)[..., None].clamp(min=1e-6)
        o = o * scale / total
        state = torch.cat([state, k.sum(1)[..., None]], -1)
    else:
        o = rms(o * 3**-0.5, case.draw("norm.weight", 2, 3, shift=1.0))
    case.save(o.flatten(-2) @ output.T, s=state)


def rotary(x, base):
    width = x.shape[-1]
    angles = torch.arange(x.shape[1])[:, None] * base ** (-torch.arange(width // 2) * 2 / width)
    # Pairs (i, i + width / 2) as complex numbers.
    turned = torch.complex(x[..., : width // 2], x[..., width // 2 :]) * torch.exp(1j * angles)[None, :, None]
    return torch.cat([turned.real, turned.imag], -1)


def retnet():
    case = Case("retnet", 8, heads=2, expand_value=2, rope_base=1000.0)
    maps, output = case.draw("input.weight", 48, 8), case.draw("output.weight", 8, 16)
    gain = case.draw("norm.weight", 8, shift=1.0)
    q, k, v, g = (case.x @ maps.T).split([8, 8, 16, 16], -1)
    q, k, v = rotary(heads(q, 2), 1000.0), rotary(heads(k, 2), 1000.0), heads(v, 2)
    time = case.x.shape[1]
    age = torch.arange(time)[:, None] - torch.arange(time)[None]
    gamma = 1 - 2.0 ** (-5 - torch.arange(2.0))
    mask = torch.where(age >= 0, gamma[:, None, None] ** age.clamp(min=0), 0)
    o = torch.einsum("bthd,bjhd,htj,bjhv->bthv", q, k * 4**-0.5, mask, v)
    state = torch.einsum("jh,bjhk,bjhv->bhkv", gamma ** (time - 1 - torch.arange(time))[:, None], k, v)
    case.save((rms(o, gain).flatten(-2) * F.silu(g)) @ output.T, s=state)


def gla():
    case = Case("gla", 8, heads=2, gate_rank=3, gate_normalizer=2.0)
    maps, output = case.draw("input.weight", 24, 8), case.draw("output.weight", 8, 8)
    down, up = case.draw("decay.down.weight", 3, 8), case.draw("decay.up.weight", 4, 3)
    bias = case.draw("decay.up.bias", 4, scale=0.5)
    gain = case.draw("norm.weight", 4, shift=1.0)
    q, k, v, g = (case.x @ maps.T).split([4, 4, 8, 8], -1)
    alpha = torch.sigmoid(case.x @ down.T @ up.T + bias) ** (1 / 2.0)
    o, state = read_all(heads(q, 2) * 2**-0.5, heads(k, 2), heads(v, 2), heads(alpha, 2))
    case.save((rms(o, gain).flatten(-2) * F.silu(g)) @ output.T, s=state)


def hgrn2():
    case = Case("hgrn2", 6, heads=2, lower_bound=0.25)
    maps, output = case.draw("input.weight", 18, 6), case.draw("output.weight", 6, 6)
    gain = case.draw("norm.weight", 6, shift=1.0)
    q, f, v = (case.x @ maps.T).split(6, -1)
    f = 0.25 + 0.75 * torch.sigmoid(f)
    o, state = read_all(heads(F.silu(q), 2), heads(1 - f, 2), heads(v, 2), heads(f, 2))
    case.save(rms(o.flatten(-2), gain) @ output.T, s=state)


def mlstm(name, cap):
    from transformers.models.xlstm.modeling_xlstm import mlstm_recurrent_sequence_native

    options = {"heads": 2, "expand_key": 0.5} | ({"gate_soft_cap": cap} if cap else {})
    case = Case(name, 8, **options)
    maps, output = case.draw("input.weight", 24, 8), case.draw("output.weight", 8, 8)
    gates, bias = case.draw("gates.weight", 4, 8, scale=0.8), case.draw("gates.bias", 4, scale=1.0)
    gain = case.draw("norm.weight", 2, 4, shift=1.0)
    q, k, v, g = (case.x @ maps.T).split([4, 4, 8, 8], -1)
    both = case.x @ gates.T + bias
    if cap:
        both = cap * torch.tanh(both / cap)
    i, f = both.split(2, -1)
    q, k, v = (heads(a, 2).transpose(1, 2) for a in (q, k, v))
    h, (c, n, m) = mlstm_recurrent_sequence_native(
        q, k, v, i.transpose(1, 2), f.transpose(1, 2), return_last_states=True, dtype_state=torch.float64
    )
    read = layer_norm(h.transpose(1, 2), gain).flatten(-2)
    case.save((read * torch.sigmoid(g)) @ output.T, c=torch.cat([c, n[..., None]], -1), m=m[..., 0])


def mamba2(name, **changes):
    """transformers' Mamba-2; the final state by the sum over positions."""
    from transformers import Mamba2Config
    from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

    low, high = changes.get("time_step_min", 0.0), changes.get("time_step_max", float("inf"))
    groups, gate_first = changes.get("groups", 1), changes.get("gate_before_norm", True)
    case = Case(name, 6, time=9, state_size=3, head_size=4, **changes)
    config = Mamba2Config(
        hidden_size=6, state_size=3, expand=2, head_dim=4, num_heads=3, n_groups=groups,
        conv_kernel=4, chunk_size=4, use_bias=False, num_hidden_layers=1, time_step_limit=(low, high),
        layer_norm_epsilon=1e-5,
    )
    module = Mamba2Mixer(config, 0).double()
    for value in module.parameters():
        torch.nn.init.normal_(value, std=0.5)
    case.put("input.weight", module.in_proj.weight)
    taps, bias = case.put("conv.weight", module.conv1d.weight[:, 0]), case.put("conv.bias", module.conv1d.bias)
    case.put("time_step_bias", module.dt_bias)
    case.put("a_log", module.A_log)
    case.put("skip", module.D)
    gain = case.put("norm.weight", module.norm.weight)
    case.put("output.weight", module.out_proj.weight)
    shared = groups * 3
    z, mixed, dt = module.in_proj(case.x).split([12, 12 + 2 * shared, 3], -1)
    mixed, history = causal_conv(mixed, taps, bias)
    u, b, c = F.silu(mixed).split([12, shared, shared], -1)
    u = heads(u, 3)
    b, c = (heads(a, groups).repeat_interleave(3 // groups, 2) for a in (b, c))
    dt = F.softplus(dt + module.dt_bias).clamp(low, high)
    decay = torch.exp(-dt * torch.exp(module.A_log))[..., None]
    o, state = read_all(c, b * dt[..., None], u, decay)
    read = (o + module.D[:, None] * u).flatten(-2)
    # Each group of heads is normalised by itself.
    def norm(a):
        return rms(heads(a, groups), heads(gain, groups)).flatten(-2)

    y = norm(read * F.silu(z)) if gate_first else norm(read) * F.silu(z)
    y = module.out_proj(y)
    # Theirs has no later gate.
    if gate_first:
        original = as_float64(lambda: module(case.x))
        assert torch.allclose(y, original, rtol=1e-10, atol=1e-10), (y - original).abs().max()
        y = original
    case.save(y, ssm=state, conv=history)


def rwkv6():
    case = Case("rwkv6", 6, heads=2, mix_rank=2, decay_rank=3)
    x, before = case.x, shift(case.x)
    mix = case.draw("mix", 6, 6, scale=0.5, shift=0.5)
    down, up = case.draw("mix_down.weight", 10, 6), case.draw("mix_up.weight", 5, 6, 2)
    maps = [case.draw(f"maps.{index}.weight", 6, 6) for index in range(4)]
    decay_down, decay_up = case.draw("decay.down.weight", 3, 6), case.draw("decay.up.weight", 6, 3)
    decay_bias = case.draw("decay.up.bias", 6, scale=0.7, shift=-0.7)
    bonus = case.draw("bonus", 2, 3, scale=1.0)
    gain, offset = case.draw("norm.weight", 2, 3, shift=1.0), case.draw("norm.bias", 2, 3)
    output = case.draw("output.weight", 6, 6)
    low = torch.tanh((x + (before - x) * mix[0]) @ down.T)
    r, k, v, g, w = (
        x + (before - x) * (mix[c + 1] + low[..., 2 * c : 2 * c + 2] @ up[c].T) for c in range(5)
    )
    r, k, v, g = (a @ m.T for a, m in zip((r, k, v, g), maps))
    w = torch.exp(-torch.exp(decay_bias + torch.tanh(w @ decay_down.T) @ decay_up.T))
    o, state = read_all(*(heads(a, 2) for a in (r, k, v, w)), bonus=bonus)
    read = layer_norm(o, gain, offset, eps=64e-5).flatten(-2)
    case.save((read * F.silu(g)) @ output.T, s=state, shift=x[:, -1])


with torch.no_grad():
    linear_attention("linear_attention", "elu", True)
    linear_attention("linear_attention-identity", "identity", False)
    retnet()
    gla()
    hgrn2()
    mlstm("mlstm", None)
    mlstm("mlstm-soft-cap", 3.0)
    mamba2("mamba2")
    mamba2("mamba2-limits", time_step_min=0.3, time_step_max=1.0)
    mamba2("mamba2-groups", groups=3, gate_before_norm=False)
    rwkv6()
