"""Recurrences of vectors: minimal cells, HGRN, RG-LRU, Mamba and RWKV-4 (transformers), LRU."""

import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from vectors import Case, as_float64, causal_conv, layer_norm, rms, shift


def minimal(name, wide, candidate):
    case = Case(name, 4, expansion=1.5, candidate=candidate)
    gates = 3 if wide else 2
    weight, bias = case.draw("input.weight", gates * 6, 4), case.draw("input.bias", gates * 6, scale=0.5)
    output = case.draw("output.weight", 4, 6)
    h, ys = torch.zeros(2, 6), []
    for t in range(case.x.shape[1]):
        parts = (weight @ case.x[:, t].T).T + bias
        *raw, value = parts.split(6, -1)
        if candidate == "positive":
            value = torch.where(value >= 0, value + 0.5, torch.sigmoid(value))
        if wide:
            f, i = torch.sigmoid(raw[0]), torch.sigmoid(raw[1])
            f, i = f / (f + i), i / (f + i)
        else:
            i = torch.sigmoid(raw[0])
            f = 1 - i
        h = f * h + i * value
        ys.append(h @ output.T)
    case.save(torch.stack(ys, 1), h=h)


def quasi_lstm(name, **options):
    case = Case(name, 4, hidden_size=6, **options)
    weight, bias = case.draw("input.weight", 24, 4), case.draw("input.bias", 24, scale=0.5)
    output, offset = case.draw("output.weight", 4, 6), case.draw("output.bias", 4, scale=0.5)
    c, ys = torch.zeros(2, 6), []
    for t in range(case.x.shape[1]):
        f, i, z, o = F.linear(case.x[:, t], weight, bias).split(6, -1)
        c = torch.sigmoid(f + options.get("forget_bias", 1.0)) * c + torch.sigmoid(i) * torch.tanh(z)
        ys.append(F.linear(torch.sigmoid(o) * torch.tanh(c), output, offset))
    case.save(torch.stack(ys, 1), c=c)


def hgrn(name, is_complex, bound):
    case = Case(name, 5, lower_bound=bound, complex=is_complex)
    parts = 2 if is_complex else 1
    weight = case.draw("input.weight", (1 + 2 * parts) * 5, 5)
    bias = case.draw("input.bias", (1 + 2 * parts) * 5, scale=0.3)
    turn = torch.exp(1j * case.draw("angle", 5, scale=1.0)) if is_complex else torch.ones(5)
    gain, offset = case.draw("norm.weight", parts * 5, shift=1.0), case.draw("norm.bias", parts * 5)
    output = case.draw("output.weight", 5, parts * 5)
    h, ys = torch.zeros(2, 5, dtype=torch.complex128 if is_complex else torch.float64), []
    for t in range(case.x.shape[1]):
        rows = case.x[:, t] @ weight.T + bias
        forget = bound + (1 - bound) * torch.sigmoid(rows[:, :5])
        candidate = F.silu(rows[:, 5 : 5 + 5 * parts])
        gate = F.silu(rows[:, 5 + 5 * parts :])
        if is_complex:
            candidate = torch.complex(candidate[:, :5], candidate[:, 5:])
        h = forget * turn * h + (1 - forget) * candidate
        seen = torch.cat([h.real, h.imag], -1) if is_complex else h
        ys.append(layer_norm(gate * seen, gain, offset) @ output.T)
    states = {"real": h.real, "imaginary": h.imag} if is_complex else {"h": h}
    case.save(torch.stack(ys, 1), **states)


def rg_lru():
    from transformers.models.recurrent_gemma import modeling_recurrent_gemma as source

    case = Case("rg_lru", 4, time=9, lru_width=6, heads=2)
    config = source.RecurrentGemmaConfig(
        hidden_size=4, lru_width=6, num_attention_heads=2, conv1d_width=4, hidden_activation="gelu", head_dim=2
    )
    block = source.RecurrentGemmaRecurrentBlock(config, 0).double()
    source.RecurrentGemmaRglru._rnn_scan.__defaults__ = (torch.float64,)
    for value in block.parameters():
        torch.nn.init.normal_(value, std=0.5)
    time = case.x.shape[1]
    y, _ = block(case.x, torch.arange(time)[None], None, use_cache=False)
    case.put("input.weight", torch.cat([block.linear_x.weight, block.linear_y.weight]))
    case.put("input.bias", torch.cat([block.linear_x.bias, block.linear_y.bias]))
    taps = case.put("conv.weight", block.conv_1d.weight[:, 0])
    case.put("conv.bias", block.conv_1d.bias)
    inner = block.rg_lru
    # Their products are rows times matrices, ours matrices times columns.
    matrices = torch.stack([inner.recurrent_gate_weight, inner.input_gate_weight]).transpose(-1, -2)
    case.put("gates.weight", matrices)
    case.put("gate_bias", torch.stack([inner.recurrent_gate_bias.flatten(), inner.input_gate_bias.flatten()]))
    case.put("lambda", inner.recurrent_param)
    case.put("output.weight", block.linear_out.weight)
    case.put("output.bias", block.linear_out.bias)
    _, history = causal_conv(block.linear_x(case.x), taps)
    case.save(y, h=inner.recurrent_states, conv=history)


def lru():
    case = Case("lru", 4, state_size=6)
    nu, theta = case.draw("nu", 6, scale=0.5), case.draw("theta", 6, scale=0.5)
    gamma = case.draw("gamma", 6, scale=0.3)
    b, c = case.draw("input.weight", 12, 4), case.draw("readout.weight", 4, 12)
    skip = case.draw("skip", 4, scale=1.0)
    gate, offset = case.draw("gate.weight", 8, 4), case.draw("gate.bias", 8, scale=0.3)
    eigenvalues = torch.exp(-torch.exp(nu) + 1j * torch.exp(theta))
    b = torch.complex(b[:6], b[6:])
    c = torch.complex(c[:, :6], -c[:, 6:])
    drive = torch.exp(gamma) * (case.x.to(torch.complex128) @ b.T)
    time = case.x.shape[1]
    # s_t = Σ_j λ^(t - j) drive_j as a full product.
    powers = torch.arange(time)[:, None] - torch.arange(time)[None]
    kernel = torch.where(powers[..., None] >= 0, eigenvalues ** powers.clamp(min=0)[..., None], 0)
    s = torch.einsum("tjn,bjn->btn", kernel, drive)
    u = F.gelu((s @ c.T).real + skip * case.x)
    first, second = (u @ gate.T + offset).split(4, -1)
    case.save(first * torch.sigmoid(second), real=s[:, -1].real, imaginary=s[:, -1].imag)


def mamba(name, falcon):
    """transformers' Mamba; with its parameters normalised as in Falcon-Mamba by the loop below alone."""
    from transformers import MambaConfig
    from transformers.models.mamba.modeling_mamba import MambaMixer

    options = {"state_size": 3, "time_step_rank": 2, "bias": falcon, "normalizes_parameters": falcon}
    case = Case(name, 5, time=9, **options)
    config = MambaConfig(
        hidden_size=5, state_size=3, expand=2, conv_kernel=4, time_step_rank=2, use_bias=falcon, num_hidden_layers=1
    )
    module = MambaMixer(config, 0).double()
    for value in module.parameters():
        torch.nn.init.normal_(value, std=0.5)
    case.put("input.weight", module.in_proj.weight)
    case.put("parameters.weight", module.x_proj.weight)
    taps = case.put("conv.weight", module.conv1d.weight[:, 0])
    bias = case.put("conv.bias", module.conv1d.bias)
    case.put("time_step.weight", module.dt_proj.weight)
    case.put("time_step.bias", module.dt_proj.bias)
    case.put("a_log", module.A_log)
    case.put("skip", module.D)
    case.put("output.weight", module.out_proj.weight)
    if falcon:
        case.put("input.bias", module.in_proj.bias)
        case.put("output.bias", module.out_proj.bias)
    u, z = module.in_proj(case.x).chunk(2, -1)
    u, history = causal_conv(u, taps, bias)
    u = F.silu(u)
    dt, b, c = module.x_proj(u).split([2, 3, 3], -1)
    if falcon:
        dt, b, c = (rms(v, eps=1e-6) for v in (dt, b, c))
    dt = F.softplus(module.dt_proj(dt))
    h, ys = torch.zeros(2, 10, 3), []
    for t in range(case.x.shape[1]):
        decay = torch.exp(-dt[:, t, :, None] * torch.exp(module.A_log))
        h = decay * h + (dt[:, t] * u[:, t])[..., None] * b[:, t, None, :]
        ys.append((h @ c[:, t, :, None])[..., 0] + module.D * u[:, t])
    y = module.out_proj(torch.stack(ys, 1) * F.silu(z))
    if not falcon:
        theirs = as_float64(lambda: module(case.x))
        assert torch.allclose(y, theirs, rtol=1e-12, atol=1e-12), (y - theirs).abs().max()
        y = theirs
    case.save(y, ssm=h, conv=history)


def rwkv4(name, width):
    """transformers' weighted averages, which keep the largest exponent apart."""
    from transformers.models.rwkv.modeling_rwkv import rwkv_linear_attention_cpu

    case = Case(name, 4, width=width)
    x, before = case.x, shift(case.x)
    mix = case.draw("mix", 3, 4, scale=0.5, shift=0.5)
    r, k, v = (
        ((1 - mix[i]) * x + mix[i] * before) @ case.draw(f"maps.{i}.weight", width, 4, scale=1.0).T for i in range(3)
    )
    decay, bonus = case.draw("decay", width, scale=1.0), case.draw("bonus", width, scale=1.0)
    output = case.draw("output.weight", 4, width)
    average, (a, b, m) = as_float64(lambda: rwkv_linear_attention_cpu(decay, bonus, k, v, return_state=True))
    y = (torch.sigmoid(r) * average) @ output.T
    case.save(y, shift=x[:, -1], numerator=a, denominator=b, maximum=m)


def rwkv_channel_mix(name, hidden, receptance):
    """The formula, with the position before by a shift of the whole sequence."""
    case = Case(name, 4, hidden_size=hidden, receptance=receptance)
    x, before = case.x, shift(case.x)
    mix = case.draw("mix", 2 if receptance else 1, 4, scale=0.5, shift=0.5)
    key, value = case.draw("key.weight", hidden, 4), case.draw("value.weight", 4, hidden)
    y = F.relu(((1 - mix[0]) * x + mix[0] * before) @ key.T).pow(2) @ value.T
    if receptance:
        own = (1 - mix[1]) * x + mix[1] * before
        y = torch.sigmoid(own @ case.draw("receptance.weight", 4, 4).T) * y
    case.save(y, shift=x[:, -1])


with torch.no_grad():
    minimal("min_gru", False, "linear")
    minimal("min_gru-positive", False, "positive")
    minimal("min_lstm", True, "positive")
    quasi_lstm("qlstm")
    quasi_lstm("qlstm-blocks", block_length=4, forget_bias=0.5)
    hgrn("hgrn", False, 0.3)
    hgrn("hgrn-complex", True, 0.0)
    rg_lru()
    lru()
    mamba("mamba", False)
    mamba("mamba-falcon", True)
    rwkv4("rwkv4", 6)
    rwkv_channel_mix("rwkv_channel_mix", 16, True)
    rwkv_channel_mix("rwkv_channel_mix-plain", 5, False)
