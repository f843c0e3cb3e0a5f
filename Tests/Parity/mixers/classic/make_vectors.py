"""Elman, LSTM, GRU (torch.nn where it has them) and sLSTM."""

import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from vectors import Case, layer_norm


def blocks(h, matrices):
    """Each head's matrix times its part of h."""
    parts = h.unflatten(-1, (matrices.shape[0], -1))
    return torch.einsum("hij,bhj->bhi", matrices, parts).flatten(-2)


def randomised(module):
    for value in module.parameters():
        torch.nn.init.normal_(value, std=0.4)
    return module


def elman():
    case = Case("elman", 4, hidden_size=6)
    module = randomised(torch.nn.RNN(4, 6, batch_first=True))
    case.put("weight", module.weight_ih_l0)
    case.put("recurrent", module.weight_hh_l0.reshape(1, 1, 6, 6))
    case.put("bias", module.bias_ih_l0 + module.bias_hh_l0)
    output = case.draw("output.weight", 4, 6)
    y, h = module(case.x)
    case.save(y @ output.T, h=h[0])


def elman_relu():
    case = Case("elman-relu", 5, activation="relu")
    module = randomised(torch.nn.RNN(5, 5, batch_first=True, nonlinearity="relu"))
    case.put("weight", module.weight_ih_l0)
    case.put("recurrent", module.weight_hh_l0.reshape(1, 1, 5, 5))
    case.put("bias", module.bias_ih_l0 + module.bias_hh_l0)
    y, h = module(case.x)
    case.save(y, h=h[0])


def lstm():
    case = Case("lstm", 5)
    module = randomised(torch.nn.LSTM(5, 5, batch_first=True))
    case.put("weight", module.weight_ih_l0)
    case.put("recurrent", module.weight_hh_l0.reshape(4, 1, 5, 5))
    case.put("bias", module.bias_ih_l0 + module.bias_hh_l0)
    y, (h, c) = module(case.x)
    case.save(y, h=h[0], c=c[0])


def lstm_variant(name, variant, head_count, extra_rows):
    case = Case(name, 6, variant=variant, heads=head_count)
    weight = case.draw("weight", 24, 6)
    recurrent = case.draw("recurrent", 4, head_count, 6 // head_count, 6 // head_count, scale=0.5)
    bias = case.draw("bias", 24, scale=0.3)
    extras = case.draw("extras", extra_rows, 6, scale=0.4, shift=0.5)
    gain = case.draw("input_gain", 24, scale=0.3, shift=1.0) if variant == "layer_norm" else None

    def normed(value):
        return layer_norm(value.unflatten(-1, (-1, 6 // head_count))).flatten(-2)

    h = c = torch.zeros(2, 6)
    outputs = []
    for t in range(case.x.shape[1]):
        product = case.x[:, t] @ weight.T
        if gain is not None:
            product = normed(product) * gain
        rows = (product + bias).split(6, -1)
        back = [blocks(h, recurrent[g]) for g in range(4)]
        if gain is not None:
            back = [normed(back[g]) * extras[g] for g in range(4)]
        i, f, z, o = (a + b for a, b in zip(rows, back))
        if variant == "peephole":
            i, f = i + extras[0] * c, f + extras[1] * c
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(z)
        if variant == "peephole":
            h = torch.sigmoid(o + extras[2] * c) * torch.tanh(c)
        else:
            h = torch.sigmoid(o) * torch.tanh(normed(c) * extras[4] + extras[5])
        outputs.append(h)
    case.save(torch.stack(outputs, 1), h=h, c=c)


def gru():
    case = Case("gru", 5)
    module = randomised(torch.nn.GRU(5, 5, batch_first=True))
    r, z, n = module.weight_hh_l0.split(5)
    br, bz, bn = module.bias_hh_l0.split(5)
    case.put("weight", module.weight_ih_l0)
    case.put("recurrent", torch.stack([n, r, z])[:, None])
    case.put("bias", module.bias_ih_l0 + torch.cat([br, bz, torch.zeros(5)]))
    case.put("extras", bn[None])
    y, h = module(case.x)
    case.save(y, h=h[0])


def gru_before():
    case = Case("gru-before", 6, reset="before", heads=2)
    weight = case.draw("weight", 18, 6)
    recurrent = case.draw("recurrent", 3, 2, 3, 3, scale=0.6)
    bias = case.draw("bias", 18, scale=0.3)
    h, outputs = torch.zeros(2, 6), []
    for t in range(case.x.shape[1]):
        r, z, n = (case.x[:, t] @ weight.T + bias).split(6, -1)
        r = torch.sigmoid(r + blocks(h, recurrent[0]))
        z = torch.sigmoid(z + blocks(h, recurrent[1]))
        h = z * h + (1 - z) * torch.tanh(n + blocks(r * h, recurrent[2]))
        outputs.append(h)
    case.save(torch.stack(outputs, 1), h=h)


def slstm():
    """Without a stabiliser, which cancels: c and n are scaled by exp(-m) afterwards."""
    case = Case("slstm", 6, heads=2)
    weight = case.draw("weight", 24, 6)
    recurrent = case.draw("recurrent", 4, 2, 3, 3, scale=0.6)
    bias = case.draw("bias", 24, scale=0.5)
    h = c = n = torch.zeros(2, 6)
    m, outputs = None, []
    for t in range(case.x.shape[1]):
        rows = (case.x[:, t] @ weight.T + bias).split(6, -1)
        i, f, z, o = (rows[g] + blocks(h, recurrent[g]) for g in range(4))
        m = i if m is None else torch.maximum(F.logsigmoid(f) + m, i)
        c = torch.sigmoid(f) * c + torch.exp(i) * torch.tanh(z)
        n = torch.sigmoid(f) * n + torch.exp(i)
        h = torch.sigmoid(o) * c / n
        outputs.append(h)
    case.save(torch.stack(outputs, 1), h=h, c=c * torch.exp(-m), n=n * torch.exp(-m), m=m)


with torch.no_grad():
    elman()
    elman_relu()
    lstm()
    lstm_variant("lstm-peephole", "peephole", 3, 3)
    lstm_variant("lstm-layer-norm", "layer_norm", 1, 6)
    gru()
    gru_before()
    slstm()
