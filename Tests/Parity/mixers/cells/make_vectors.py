"""Nonlinear cells: ParaGRU, ParaLSTM, M²RNN and MinMax RNC, loop by loop."""

import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from vectors import Case, causal_conv, layer_norm, rms, shift


def para(name, d_model, width, count, block):
    """The input matrix is laid out as the block-diagonal matrix it is."""
    options = {"heads": count, "block": block, "state_size": width}
    if block:
        options["conv_width"] = 3
    case = Case(name, d_model, **options)
    lstm = name.startswith("para_lstm")
    inputs = width if block else d_model
    a, history = case.x, {}
    if block:
        a, g = (case.x @ case.draw("up.weight", 2 * width, d_model).T).chunk(2, -1)
        a, history["conv"] = causal_conv(
            a, case.draw("conv.weight", width, 3, scale=0.6), case.draw("conv.bias", width, scale=0.3)
        )
        a = F.silu(a)
    b = case.draw("input.weight", 3, count, width // count, inputs // count)
    bias = case.draw("bias", 3, width, scale=0.5)
    recurrent = case.draw("recurrent", 3, width, scale=0.8)
    u = torch.stack([a @ torch.block_diag(*b[row]).T + bias[row] for row in range(3)])
    h = c = torch.zeros(2, width)
    if lstm:
        peepholes = case.draw("peepholes", 2, width, scale=0.8)
    hidden = []
    for t in range(case.x.shape[1]):
        if lstm:
            f = torch.sigmoid(recurrent[0] * h + u[0][:, t] + peepholes[0] * c)
            c = f * c + (1 - f) * torch.tanh(recurrent[2] * h + u[2][:, t])
            h = torch.sigmoid(recurrent[1] * h + u[1][:, t] + peepholes[1] * c) * torch.tanh(c)
        else:
            z = torch.sigmoid(recurrent[0] * h + u[0][:, t])
            r = torch.sigmoid(recurrent[1] * h + u[1][:, t])
            h = (1 - z) * h + z * torch.tanh(recurrent[2] * h * r + u[2][:, t])
        hidden.append(h)
    y = torch.stack(hidden, 1)
    if block:
        y = rms(y, case.draw("norm.weight", width, shift=1.0), eps=1e-6) * F.silu(g)
    if block or width != d_model:
        y = y @ case.draw("output.weight", d_model, width).T
    case.save(y, h=h, **({"c": c} if lstm else {}), **history)


def m2rnn(name, d_model, count, keys, values, query_heads, key_heads, conv):
    """Row by row: each row of a head's state is an Elman network of its own, with W transposed."""
    case = Case(
        name, d_model, heads=count, key_size=keys, value_size=values, query_heads=query_heads, key_heads=key_heads,
        conv_width=conv,
    )
    inner = count * values
    sizes = [query_heads * keys, key_heads * keys, inner]
    mixed = sum(sizes)
    all = case.x @ case.draw("input.weight", mixed + count + inner, d_model).T
    own, raw, g = all.split([mixed, count, inner], -1)
    history = {}
    if conv:
        own, history["conv"] = causal_conv(
            own, case.draw("conv.weight", mixed, conv, scale=0.6), case.draw("conv.bias", mixed, scale=0.3)
        )
    q, k, v = F.silu(own).split(sizes, -1)
    w = case.draw("transition.weight", count, values, values)
    a_log, offsets = case.draw("a_log", count, scale=0.5), case.draw("time_step_bias", count, scale=0.5)
    f = (1 + torch.exp(raw + offsets)) ** -torch.exp(a_log)
    skip = case.draw("skip", count, values, scale=1.0)
    gain, output = case.draw("norm.weight", inner, shift=1.0), case.draw("output.weight", d_model, inner)
    time = case.x.shape[1]
    state, reads = torch.zeros(2, count, keys, values), torch.zeros(2, time, count, values)
    for t in range(time):
        for head in range(count):
            query = q[:, t].unflatten(-1, (query_heads, keys))[:, head // (count // query_heads)]
            key = k[:, t].unflatten(-1, (key_heads, keys))[:, head // (count // key_heads)]
            value = v[:, t, head * values : (head + 1) * values]
            gate = f[:, t, head, None]
            for row in range(keys):
                before = state[:, head, row].clone()
                z = torch.tanh(F.linear(before, w[head].T) + key[:, row, None] * value)
                state[:, head, row] = gate * before + (1 - gate) * z
                reads[:, t, head] += query[:, row, None] * state[:, head, row]
            reads[:, t, head] += skip[head] * value
    y = rms(reads.flatten(-2) * F.silu(g), gain) @ output.T
    case.save(y, h=state, **history)


def minmax(name, d_model, **options):
    case = Case(name, d_model, **options)
    size, numbers = options.get("state_size", d_model), options.get("neuron_size", 1)
    arrangement = options.get("arrangement", "code")
    x, added, states = case.x, 0, {}
    if arrangement != "neuron":
        inner = "surroundings"
        norms = [
            (case.draw(f"{inner}.norms.{i}.weight", d_model, shift=1.0), case.draw(f"{inner}.norms.{i}.bias", d_model))
            for i in range(3)
        ]
        present = layer_norm(x, *norms[0])
        states["before"] = present[:, -1]
        if options.get("convolution") == "gated":
            share = torch.sigmoid(case.draw(f"{inner}.share", d_model, scale=1.0))
            mixed = share * shift(present) + (1 - share) * present
        else:
            w = case.draw(f"{inner}.conv.weight", d_model, 2 * d_model)
            mixed = shift(present) @ w[:, :d_model].T + present @ w[:, d_model:].T
            mixed = mixed + case.draw(f"{inner}.conv.bias", d_model)
        half = -(-13 * d_model // 20)
        up, up_bias = case.draw(f"{inner}.up.weight", 2 * half, d_model), case.draw(f"{inner}.up.bias", 2 * half)
        down, down_bias = case.draw(f"{inner}.down.weight", d_model, half), case.draw(f"{inner}.down.bias", d_model)
        gamma, value = (layer_norm(x + mixed, *norms[1]) @ up.T + up_bias).chunk(2, -1)
        forward = (F.relu(gamma) * value) @ down.T + down_bias
        if arrangement == "chained":
            added = mixed + forward
            u = layer_norm(x + added, *norms[2])
        else:
            u = layer_norm(x + forward, *norms[2])
    else:
        u = x
    rows = numbers * (numbers + 1) * size
    limits = u @ case.draw("bounds.weight", rows, d_model, scale=0.7).T + case.draw("bounds.bias", rows, scale=0.3)
    upper = limits[..., : numbers * numbers * size].unflatten(-1, (numbers, numbers, size))
    lower = limits[..., numbers * numbers * size :].unflatten(-1, (numbers, size))
    h, hidden = torch.zeros(2, numbers, size), []
    for t in range(x.shape[1]):
        new = torch.empty_like(h)
        for i in range(numbers):
            terms = [torch.minimum(upper[:, t, i, j], h[:, j]) for j in range(numbers)]
            new[:, i] = torch.stack(terms + [lower[:, t, i]]).amax(0)
        h = new
        hidden.append(h)
    seen = torch.stack(hidden, 1).flatten(-2)
    if options.get("output_gate", True):
        gate = u @ case.draw("gate.weight", numbers * size, d_model).T + case.draw("gate.bias", numbers * size)
        seen = seen * torch.sigmoid(gate)
    y = seen @ case.draw("output.weight", d_model, numbers * size).T + case.draw("output.bias", d_model)
    case.save(added + y, h=h, **states)


with torch.no_grad():
    para("para_gru", 6, 4, 2, True)
    para("para_gru-alone", 5, 5, 1, False)
    para("para_lstm", 6, 4, 2, True)
    para("para_lstm-alone", 4, 6, 2, False)
    m2rnn("m2rnn", 5, 2, 3, 2, 1, 1, 4)
    m2rnn("m2rnn-own-keys", 4, 4, 2, 3, 2, 4, 0)
    minmax("minmax_rnc", 5, state_size=7)
    minmax("minmax_rnc-chained", 4, arrangement="chained", convolution="gated")
    minmax("minmax_rnc-matrix", 3, state_size=4, neuron_size=3, arrangement="neuron", output_gate=False)
