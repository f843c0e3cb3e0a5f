"""Attention (llama's rotary positions, torch's attention) and Aaren (softmax over all positions before)."""

import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from vectors import Case, heads


def rotated(x, base):
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    if base == 0:
        return x
    config = LlamaConfig(
        hidden_size=x.shape[2] * x.shape[3], num_attention_heads=x.shape[2], head_dim=x.shape[3],
        rope_parameters={"rope_type": "default", "rope_theta": base},
    )
    angles = LlamaRotaryEmbedding(config)
    # Their tables are float32; only the frequencies are taken, in float64.
    frequencies = base ** (-torch.arange(0, x.shape[3], 2) / x.shape[3])
    assert torch.allclose(angles.inv_freq.double(), frequencies, rtol=1e-6)
    waves = torch.arange(x.shape[1])[:, None] * frequencies
    waves = torch.cat([waves, waves], -1)[None]
    turned, _ = apply_rotary_pos_emb(x, x, waves.cos(), waves.sin(), unsqueeze_dim=2)
    return turned


def attention(name, d_model, count, kv_count, base, bias, window=None):
    options = {"heads": count, "kv_heads": kv_count, "rope_base": base, "bias": bias}
    if window:
        options["window"] = window
    case = Case(name, d_model, time=13, **options)
    width, time = d_model // count, 13

    def mapped(x, path, rows, columns):
        y = x @ case.draw(f"{path}.weight", rows, columns).T
        return y + case.draw(f"{path}.bias", rows, scale=0.3) if bias else y

    q = rotated(heads(mapped(case.x, "query", d_model, d_model), count), base)
    k = rotated(heads(mapped(case.x, "key", kv_count * width, d_model), kv_count), base)
    v = heads(mapped(case.x, "value", kv_count * width, d_model), kv_count)
    age = torch.arange(time)[:, None] - torch.arange(time)[None]
    mask = (age >= 0) & (age < (window or time))
    o = F.scaled_dot_product_attention(*(a.transpose(1, 2) for a in (q, k, v)), attn_mask=mask, enable_gqa=True)
    y = mapped(o.transpose(1, 2).flatten(-2), "output", d_model, d_model)
    if window:
        k, v = (F.pad(a, (0, 0, 0, 0, window - 1, 0))[:, time:] for a in (k, v))
    case.save(y, keys=k, values=v)


def aaren():
    case = Case("aaren", 6, heads=2)
    query = case.draw("query", 6, scale=1.0)
    to_query, b = case.draw("query_map.weight", 6, 6), case.draw("query_map.bias", 6)
    weight, bias = case.draw("input.weight", 12, 6), case.draw("input.bias", 12, scale=0.3)
    output, offset = case.draw("output.weight", 6, 6), case.draw("output.bias", 6, scale=0.3)
    q = heads(to_query @ query + b, 2)
    k, v = (heads(a, 2) for a in (case.x @ weight.T + bias).split(6, -1))
    scores = torch.einsum("hd,bthd->bth", q, k) / 3**0.5
    ys = []
    for t in range(case.x.shape[1]):
        weights = torch.softmax(scores[:, : t + 1], 1)
        ys.append(torch.einsum("bjh,bjhd->bhd", weights, v[:, : t + 1]).flatten(-2) @ output.T + offset)
    m = scores.amax(1)
    weights = torch.exp(scores - m[:, None])
    case.save(
        torch.stack(ys, 1), m=m, u=weights.sum(1), w=torch.einsum("bjh,bjhd->bhd", weights, v).flatten(-2)
    )


def ngram_head(name, order):
    """Attention whose weights are equal over the places where the last tokens occurred before."""
    case = Case(name, 3, time=24, order=order)
    maps = {path: (case.draw(f"{path}.weight", 3, 3), case.draw(f"{path}.bias", 3, scale=0.3))
            for path in ("following", "present")}
    symbols = case.x.argmax(-1)
    same = symbols[:, :, None] == symbols[:, None]  # [batch, t, j]
    matches = torch.ones_like(same)
    for k in range(order):
        # same[t - k, j - 1 - k], where both are positions
        shifted = torch.zeros_like(same)
        shifted[:, k:, k + 1 :] = same[:, : same.shape[1] - k, : same.shape[2] - k - 1]
        matches &= shifted
    matches &= torch.ones_like(same).tril(-1)
    weights = matches.double() / matches.sum(-1, keepdim=True).clamp(min=1)
    assert 0 < matches.any(-1).double().mean() < 1
    y = weights @ case.x @ maps["following"][0].T + maps["following"][1] + case.x @ maps["present"][0].T
    case.save(y + maps["present"][1], values=case.x, symbols=symbols)


with torch.no_grad():
    attention("attention", 8, 2, 2, 10000.0, False)
    attention("attention-shared", 12, 4, 2, 0.0, True)
    attention("sliding_window", 8, 2, 1, 500.0, False, window=4)
    attention("sliding_window-wide", 4, 1, 1, 0.0, True, window=20)
    aaren()
    ngram_head("ngram_head", 1)
    ngram_head("ngram_head-pairs", 2)
