"""Vectors of what torch has no layer for: Jordan, NTM, LSTM without forget gate and of 1997, Elman with sigmoid.

Written position by position from the equations of the papers, with torch for its functions only.
Run from the root of the repository:  python3 Tests/Parity/mixers/classic/make_survey_vectors.py
"""

import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from vectors import Case  # noqa: E402


def linear(case, path, inputs, outputs, bias=True):
    weight = case.draw(f"{path}.weight", outputs, inputs)
    offset = case.draw(f"{path}.bias", outputs, scale=0.3) if bias else torch.zeros(outputs)
    return lambda x: x @ weight.T + offset


FUNCTIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "identity": lambda x: x}


def jordan(file, d, hidden, decay, inner, outer):
    case = Case(file, d, decay=decay, hidden_size=hidden, activation=inner, output_activation=outer)
    activation, output_activation = FUNCTIONS[inner], FUNCTIONS[outer]
    to_hidden, feedback = linear(case, "input", d, hidden), linear(case, "context", d, hidden, bias=False)
    to_output = linear(case, "output", hidden, d)
    u, y, ys = torch.zeros(2, d), torch.zeros(2, d), []
    for x in case.x.unbind(1):
        u = decay * u + y
        y = output_activation(to_output(activation(to_hidden(x) + feedback(u))))
        ys.append(y)
    case.save(torch.stack(ys, 1), context=decay * u + y)


def gates(case, names, d, hidden):
    """W x + R h + b of every gate."""
    weight = case.draw("weight", len(names) * hidden, d)
    recurrent = case.draw("recurrent", len(names), 1, hidden, hidden)
    bias = case.draw("bias", len(names) * hidden, scale=0.3)

    def sums(x, h):
        products = torch.cat([h @ recurrent[gate, 0].T for gate in range(len(names))], -1)
        return (x @ weight.T + products + bias).chunk(len(names), -1)

    return sums


def lstm_without_forget_gate(file, d, variant):
    case = Case(file, d, variant=variant)
    sums = gates(case, "izo", d, d)
    h, c, hs = torch.zeros(2, d), torch.zeros(2, d), []
    for x in case.x.unbind(1):
        i, z, o = sums(x, h)
        original = variant == "original_1997"
        g = 4 * torch.sigmoid(z) - 2 if original else torch.tanh(z)
        c = c + torch.sigmoid(i) * g
        h = torch.sigmoid(o) * (2 * torch.sigmoid(c) - 1 if original else torch.tanh(c))
        hs.append(h)
    case.save(torch.stack(hs, 1), h=h, c=c)


def elman(file, d, activation):
    case = Case(file, d, activation=activation)
    sums = gates(case, "h", d, d)
    h, hs = torch.zeros(2, d), []
    for x in case.x.unbind(1):
        (a,) = sums(x, h)
        h = torch.sigmoid(a) if activation == "sigmoid" else a
        hs.append(h)
    case.save(torch.stack(hs, 1), h=h)


def ntm(file, d, controller, hidden, slots, width, reads, writes):
    case = Case(
        file, d, controller=controller, hidden_size=hidden, slots=slots, slot_width=width, read_heads=reads,
        write_heads=writes, initial_memory=0.3)
    inputs, heads = d + reads * width, reads + writes
    if controller == "lstm":
        cell = torch.nn.LSTMCell(inputs, hidden)
        torch.nn.init.zeros_(cell.bias_hh)
        case.put("lstm.weight", cell.weight_ih)
        case.put("lstm.recurrent", cell.weight_hh.reshape(4, 1, hidden, hidden))
        case.put("lstm.bias", cell.bias_ih)
    else:
        layer = linear(case, "feed_forward", inputs, hidden)
    to_heads = linear(case, "heads", hidden, heads * (width + 6) + 2 * writes * width)
    to_output = linear(case, "output", hidden + reads * width, d)
    memory = torch.full((2, slots, width), 0.3)
    weights = torch.zeros(2, heads, slots)
    weights[..., 0] = 1
    read, h, c, ys = torch.zeros(2, reads * width), torch.zeros(2, hidden), torch.zeros(2, hidden), []
    for x in case.x.unbind(1):
        both = torch.cat([x, read], -1)
        if controller == "lstm":
            h, c = cell(both, (h, c))
        else:
            h = torch.tanh(layer(both))
        orders = to_heads(h)
        address = orders[:, : heads * (width + 6)].reshape(2, heads, width + 6)
        erase, add = orders[:, heads * (width + 6) :].chunk(2, -1)
        new = torch.zeros_like(weights)
        for b in range(2):
            for head in range(heads):
                p = address[b, head]
                cosine = F.cosine_similarity(memory[b], p[:width].expand(slots, width), dim=-1, eps=1e-8)
                content = torch.softmax(F.softplus(p[width]) * cosine, -1)
                gate = torch.sigmoid(p[width + 1])
                mixed = gate * content + (1 - gate) * weights[b, head]
                shift = torch.softmax(p[width + 2 : width + 5], -1)
                turned = sum(shift[1 + k] * torch.roll(mixed, k) for k in (-1, 0, 1))
                sharp = turned ** (1 + F.softplus(p[width + 5]))
                new[b, head] = sharp / sharp.sum()
        weights = new
        writing = weights[:, reads:]
        erase = torch.sigmoid(erase.reshape(2, writes, width))
        add = add.reshape(2, writes, width)
        for head in range(writes):
            memory = memory * (1 - writing[:, head, :, None] * erase[:, head, None])
        for head in range(writes):
            memory = memory + writing[:, head, :, None] * add[:, head, None]
        read = torch.einsum("bhn,bnw->bhw", weights[:, :reads], memory).reshape(2, -1)
        ys.append(to_output(torch.cat([h, read], -1)))
    states = {"memory": memory, "weights": weights, "read": read}
    if controller == "lstm":
        states |= {"h": h, "c": c}
    case.save(torch.stack(ys, 1), **states)


jordan("jordan", 5, 5, 0.0, "sigmoid", "tanh")
jordan("jordan-leaky", 4, 6, 0.6, "tanh", "identity")
lstm_without_forget_gate("lstm-no-forget", 5, "no_forget")
lstm_without_forget_gate("lstm-1997", 5, "original_1997")
elman("elman-sigmoid", 5, "sigmoid")
elman("elman-linear", 5, "identity")
ntm("ntm", 4, "lstm", 6, 7, 3, 1, 1)
ntm("ntm-heads", 3, "feed_forward", 5, 4, 2, 2, 2)
