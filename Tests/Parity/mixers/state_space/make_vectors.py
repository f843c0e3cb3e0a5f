"""Time-invariant state spaces: S4, S4D, S5, GSS, LMU and LSSL, by dense matrices and a loop over positions.

Both halves of the spectrum are written out, discretisation is by the matrix exponential or a solve, and more than one
block of 32 positions is read.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from vectors import Case

TIME = 75


def hold(a, b, step):
    """exp [[A, B], [0, 0]] step = [[Ā, B̄], [0, 1]]."""
    size = a.shape[0]
    both = torch.zeros(size + b.shape[1], size + b.shape[1], dtype=a.dtype)
    both[:size, :size], both[:size, size:] = a * step, b * step
    both = torch.linalg.matrix_exp(both)
    return both[:size, :size], both[:size, size:]


def gbt(a, b, step, alpha):
    eye = torch.eye(a.shape[0], dtype=a.dtype)
    left = eye - alpha * step * a
    return torch.linalg.solve(left, eye + (1 - alpha) * step * a), torch.linalg.solve(left, step * b)


def discretize(rule, a, b, step):
    return hold(a, b, step) if rule == "zoh" else gbt(a, b, step, 0.5)


def mix(case, kind, u):
    if kind == "none":
        return u
    width = u.shape[-1]
    rows = 2 * width if kind == "glu" else width
    out = F.gelu(u) @ case.draw("mixing.map.weight", rows, width).T + case.draw("mixing.map.bias", rows, scale=0.3)
    if kind == "linear":
        return out
    return out[..., :width] * torch.sigmoid(out[..., width:])


def complex_of(parts):
    return torch.complex(parts[0], parts[1] if parts.shape[0] > 1 else torch.zeros_like(parts[0]))


def structured(file, d, n, low_rank, init, copies=1, mixing="glu", rule="bilinear"):
    options = dict(state_size=2 * n, initialization=init, copies=copies, mixing=mixing)
    if not low_rank:
        options["discretization"] = rule
    case = Case(file, d, TIME, **options)
    parts = 1 if init == "real" else 2
    real = -torch.exp(case.draw("dynamics.log_decay", copies, n, scale=0.5, shift=-0.5))
    imaginary = torch.zeros(copies, n) if parts == 1 else case.draw("dynamics.frequency", copies, n, scale=5.0)
    eigenvalues = torch.complex(real, imaginary)
    b = complex_of(case.draw("dynamics.input", parts, copies, n, scale=1.0))
    c = complex_of(case.draw("dynamics.readout", parts, d, n, scale=1.0))
    step = torch.exp(case.draw("dynamics.log_step", d, scale=0.7, shift=-2.5))
    p = complex_of(case.draw("low_rank", 2, copies, n, scale=0.7)) if low_rank else torch.zeros(copies, n) + 0j
    skip = case.draw("skip", d, scale=1.0)
    whole = lambda v: torch.cat([v, v.conj()])
    u = torch.zeros(2, TIME, d)
    final = torch.zeros(2, d, n, dtype=torch.complex128)
    for h in range(d):
        k = h % copies
        q = whole(p[k])
        a = torch.diag(whole(eigenvalues[k])) - torch.outer(q, q.conj())
        matrix, entry = discretize(rule, a, whole(b[k])[:, None], step[h])
        s = torch.zeros(2, 2 * n, dtype=torch.complex128)
        for t in range(TIME):
            s = s @ matrix.T + case.x[:, t, h, None] * entry[:, 0]
            u[:, t, h] = (s @ whole(c[h])).real + skip[h] * case.x[:, t, h]
        final[:, h] = s[:, :n]
    y = mix(case, mixing, u)
    if low_rank:
        case.save(y, s=torch.cat([final.real, final.imag], -1))
    else:
        case.save(y, real=final.real, imaginary=final.imag)


def s5(file, d, n, rule, gated):
    case = Case(file, d, TIME, state_size=2 * n, discretization=rule, gated_output=gated)
    eigenvalues = torch.complex(
        -torch.exp(case.draw("log_decay", n, scale=0.5, shift=-0.5)), case.draw("frequency", n, scale=5.0)
    )
    step = torch.exp(case.draw("log_step", n, scale=0.7, shift=-2.5))
    rows, columns = case.draw("input.weight", 2 * n, d), case.draw("readout.weight", d, 2 * n)
    b = torch.complex(rows[:n], rows[n:])
    # The stored map is (2 Re C, -2 Im C).
    c = torch.complex(columns[:, :n] / 2, columns[:, n:] / -2)
    skip = case.draw("skip", d, scale=1.0)
    pairs = [discretize(rule, eigenvalues[i].reshape(1, 1), b[i][None], step[i]) for i in range(n)]
    matrix, entry = torch.stack([m[0, 0] for m, _ in pairs]), torch.cat([e for _, e in pairs])
    s, us = torch.zeros(2, n, dtype=torch.complex128), []
    for t in range(TIME):
        s = s * matrix + (case.x[:, t] + 0j) @ entry.T
        us.append(2 * (s @ c.T).real + skip * case.x[:, t])
    u = torch.stack(us, 1)
    if gated:
        g = F.gelu(u)
        u = g * torch.sigmoid(g @ case.draw("gate.weight", d, d).T)
    case.save(u, real=s.real, imaginary=s.imag)


def gss():
    d, e, n, f = 4, 3, 5, 8
    case = Case("gss", d, TIME, state_size=n, state_width=e, gate_expansion=2)
    both = F.gelu(case.x @ case.draw("input.weight", e + f, d).T)
    u, v = both[..., :e], both[..., e:]
    eigenvalues = torch.complex(
        -torch.exp(case.draw("log_decay", n, scale=1.0, shift=-1.0)), torch.exp(case.draw("log_frequency", n, scale=1.0))
    )
    c, skip = complex_of(case.draw("readout", 2, e, n)), case.draw("skip", e, scale=1.0)
    # The kernel of the source, and a convolution by definition.
    powers = torch.exp(eigenvalues[:, None] * torch.arange(TIME))
    kernel = ((c * (torch.exp(eigenvalues) - 1) / eigenvalues) @ powers).real
    z = skip * u
    for t in range(TIME):
        for s in range(t + 1):
            z[:, t] = z[:, t] + kernel[:, t - s] * u[:, s]
    y = ((z @ case.draw("up.weight", f, e).T) * v) @ case.draw("output.weight", d, f).T
    state = torch.einsum("btc,nt->bcn", u + 0j, powers.flip(1))
    case.save(y, real=state.real, imaginary=state.imag)


def legendre_memory(n, theta):
    a = torch.tensor(
        [[(2 * i + 1) / theta * (-1.0 if i < j else (-1.0) ** (i - j + 1)) for j in range(n)] for i in range(n)]
    )
    b = torch.tensor([[(2 * i + 1) * (-1.0) ** i / theta] for i in range(n)])
    matrix = torch.linalg.matrix_exp(a)
    return matrix, torch.linalg.solve(a, (matrix - torch.eye(n)) @ b)


def lmu(file, d, n, theta, signal, hidden):
    case = Case(file, d, TIME, memory_size=n, theta=theta, signal_activation=signal, hidden_activation=hidden)
    functions = {"linear": lambda v: v, "relu": torch.relu, "tanh": torch.tanh, "gelu": F.gelu}
    matrix, entry = legendre_memory(n, theta)
    u = case.x @ case.draw("signal.weight", 1, d).T + case.draw("signal.bias", 1, scale=0.3)
    u = functions[signal](u)
    m, ms = torch.zeros(2, n), []
    for t in range(TIME):
        m = m @ matrix.T + u[:, t] * entry[:, 0]
        ms.append(m)
    rows = torch.cat([torch.stack(ms, 1), case.x], -1)
    y = functions[hidden](rows @ case.draw("hidden.weight", d, n + d).T + case.draw("hidden.bias", d, scale=0.3))
    case.save(y, m=m)


class Fire(torch.autograd.Function):
    """The step function with the derivative of the sigmoid of 4 z."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z >= 0).to(z)

    @staticmethod
    def backward(ctx, gradient):
        s = torch.sigmoid(4 * ctx.saved_tensors[0])
        return gradient * 4 * s * (1 - s)


def fire(x, v):
    """Leaky integrate-and-fire along axis 1 of [batch, time, n]: spikes and the last potential, resets detached."""
    spikes = []
    for t in range(x.shape[1]):
        h = v + (x[:, t] - v) / 2
        spikes.append(Fire.apply(h - 1))
        v = h * (1 - spikes[-1].detach())
    return torch.stack(spikes, 1), v


def random_batch_norm(size, about, spread):
    """As after training: running statistics like those of its inputs, scale and shift near 1 and 0."""
    norm = torch.nn.BatchNorm1d(size).eval()
    norm.running_mean.copy_(about + 0.2 * spread * torch.randn(size))
    norm.running_var.copy_((spread * (1 + 0.2 * torch.randn(size))) ** 2)
    norm.weight.data.copy_(1.5 + 0.2 * torch.randn(size))
    norm.bias.data.copy_(0.3 * torch.randn(size))
    return norm


def folded(linear, norm):
    """A linear map and the batch norm after it as one linear map."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale[:, None] * linear.weight, scale * (linear.bias - norm.running_mean) + norm.bias


def spiking_lmu(file, d, n, theta):
    """The parallel form of spiking LMUFormer's cell: batch norm before each neuron."""
    case = Case(file, d, TIME, memory_size=n, theta=theta, spiking=True)
    matrix, entry = legendre_memory(n, theta)
    signal, hidden = torch.nn.Linear(d, 1), torch.nn.Linear(n + d, d)
    norms = [
        random_batch_norm(1, 0.0, 0.5),
        random_batch_norm(n, torch.cat([torch.full((1,), 0.1), torch.zeros(n - 1)]), 0.15),
        random_batch_norm(d, 0.0, 0.4),
    ]
    along = lambda norm, x: norm(x.transpose(1, 2)).transpose(1, 2)
    u, signal_potential = fire(along(norms[0], signal(case.x)), torch.zeros(2, 1))
    m, ms = torch.zeros(2, n), []
    for t in range(TIME):
        m = m @ matrix.T + u[:, t] * entry[:, 0]
        ms.append(m)
    seen, memory_potential = fire(along(norms[1], torch.stack(ms, 1)), torch.zeros(2, n))
    rows = torch.cat([seen, case.x], -1)
    y, hidden_potential = fire(along(norms[2], hidden(rows)), torch.zeros(2, d))
    for name, linear, norm in [("signal", signal, norms[0]), ("hidden", hidden, norms[2])]:
        weight, bias = folded(linear, norm)
        case.put(f"{name}.weight", weight)
        case.put(f"{name}.bias", bias)
    scale = norms[1].weight / torch.sqrt(norms[1].running_var + norms[1].eps)
    case.put("memory_norm", torch.stack([scale, norms[1].bias - scale * norms[1].running_mean]))
    for spikes in [u, seen, y]:
        assert 0.05 < spikes.mean() < 0.6, f"{file}: {spikes.mean()}"
    case.save(
        y, m=m, signal_potential=signal_potential, memory_potential=memory_potential,
        hidden_potential=hidden_potential,
    )


def hippo(kind, n):
    i, j = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    r = torch.sqrt(2.0 * torch.arange(n) + 1)
    if kind == "legs":
        return torch.where(i > j, -r[:, None] * r, torch.where(i == j, -(i + 1.0), 0.0)), r
    if kind == "legt":
        sign = torch.where(i >= j, (-1.0) ** (i - j), 1.0)
        return -r[:, None] * r * sign, r * (-1.0) ** torch.arange(n)
    return torch.where(i > j, -1.0, torch.where(i == j, -0.5, 0.0)), torch.ones(n)


def lssl(file, d, n, m, kind, learns, alpha):
    case = Case(
        file, d, TIME, state_size=n, outputs=m, initialization=kind, learns_transition=learns, alpha=alpha
    )
    a, b = hippo(kind, n)
    steps = torch.exp(torch.linspace(0, 1, d) * torch.log(torch.tensor(100.0)) + torch.log(torch.tensor(0.001)))
    if learns:
        a = case.put("transition.matrix", a + torch.randn(n, n) * 0.1)
        steps = torch.exp(case.draw("transition.log_step", d, scale=0.5, shift=-2.5))
    c, skip = case.draw("readout", d, m, n), case.draw("skip", d, m, scale=1.0)
    s, u = torch.zeros(2, d, n), torch.zeros(2, TIME, d, m)
    pairs = [gbt(a, b[:, None], steps[h], alpha) for h in range(d)]
    for t in range(TIME):
        s = torch.stack([s[:, h] @ pairs[h][0].T + case.x[:, t, h, None] * pairs[h][1][:, 0] for h in range(d)], 1)
        u[:, t] = torch.einsum("bdn,dmn->bdm", s, c) + skip * case.x[:, t, :, None]
    y = F.gelu(u.flatten(2)) @ case.draw("output.weight", d, d * m).T + case.draw("output.bias", d, scale=0.3)
    case.save(y, s=s)


structured("s4", 3, 4, True, "legs")
structured("s4-copies", 4, 3, True, "lin", copies=2, mixing="linear")
structured("s4d", 3, 4, False, "lin", rule="zoh")
structured("s4d-bilinear", 4, 3, False, "inv", copies=2, mixing="linear")
structured("s4d-real", 2, 3, False, "real", mixing="none", rule="zoh")
s5("s5", 4, 3, "zoh", True)
s5("s5-bilinear", 3, 4, "bilinear", False)
gss()
lmu("lmu", 4, 6, 20.0, "relu", "relu")
lmu("lmu-tanh", 3, 5, 33.5, "linear", "tanh")
spiking_lmu("lmu-spiking", 5, 4, 16.0)
lssl("lssl", 3, 6, 2, "legs", False, 0.5)
lssl("lssl-learned", 3, 5, 1, "legt", True, 1.0)
lssl("lssl-euler", 2, 4, 2, "lagt", False, 0.25)
