#!/usr/bin/env python3
"""The peers' side of Rondo's benchmarks: what a user would run instead, on the same CPU.

One JSON object a line, with the keys of `rondo bench --json`. 'seconds' is the median of the timed calls, 'rate' is
units of work a second. Every peer uses one thread per core. See README.md here for the environment.

    .venv-peers/bin/python Benchmarks/peers.py                 # every workload
    .venv-peers/bin/python Benchmarks/peers.py lstm_train gemm # only these
"""

import json
import logging
import os
import resource
import statistics
import sys
import time
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import torch
import torch.nn.functional as F

torch.set_num_threads(os.cpu_count() or 1)
torch.manual_seed(0)

LAYER_SHAPES = [
    {"batch": 32, "time": 128, "width": 256},
    {"batch": 8, "time": 512, "width": 512},
    {"batch": 64, "time": 64, "width": 128},
    {"batch": 1, "time": 1024, "width": 256},
]


def median_seconds(call, repetitions=5, warmup=1):
    for _ in range(warmup):
        call()
    samples = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def report(workload, peer, shape, seconds, work, unit, **more):
    line = {"workload": workload, "peer": peer, "shape": shape, "seconds": seconds, "unit": unit, "rate": work / seconds}
    print(json.dumps(line | more), flush=True)


def primitives():
    x = torch.randn(4096, 1024)
    shape = {"rows": 4096, "cols": 1024}
    calls = {
        "mul_add": lambda: x * 2 + 1,
        "tanh": lambda: torch.tanh(x),
        "exp": lambda: torch.exp(x),
        "sigmoid": lambda: torch.sigmoid(x),
        "row_sum": lambda: x.sum(-1),
        "softmax": lambda: torch.softmax(x, -1),
        "layer_norm": lambda: F.layer_norm(x, (1024,)),
        "transpose_copy": lambda: x.t().contiguous(),
    }
    for name, call in calls.items():
        report(name, "torch", shape, median_seconds(call, 15, 3), x.numel(), "elements/s")

    logits = torch.randn(4096, 8192, requires_grad=True)
    targets = torch.randint(0, 8192, (4096,))

    def loss_and_gradient():
        logits.grad = None
        F.cross_entropy(logits, targets).backward()

    shape = {"rows": 4096, "classes": 8192}
    report("cross_entropy_train", "torch", shape, median_seconds(loss_and_gradient), logits.numel(), "elements/s")

    weights = [torch.randn(1024, 1024, requires_grad=True) for _ in range(10)]
    for weight in weights:
        weight.grad = torch.randn_like(weight)
    count = sum(weight.numel() for weight in weights)
    optimizer = torch.optim.AdamW(weights, lr=1e-4, fused=True)
    report("adamw_update", "torch fused", {"parameters": count}, median_seconds(optimizer.step, 9, 2), count, "parameters/s")


def gemm():
    for m, n, k in [(1024, 1024, 1024), (4096, 1024, 256), (32, 1024, 256), (1, 4096, 1024)]:
        a, b = torch.randn(m, k), torch.randn(k, n)
        seconds = median_seconds(lambda: a @ b, 31, 3)
        report("gemm", "torch", {"m": m, "n": n, "k": k}, seconds, 2 * m * n * k, "flop/s")


def layer_training(workload, kind):
    for shape in LAYER_SHAPES:
        width = shape["width"]
        layer = kind(width, width, batch_first=True)
        x = torch.randn(shape["batch"], shape["time"], width, requires_grad=True)

        def step():
            layer.zero_grad()
            x.grad = None
            layer(x)[0].square().mean().backward()

        report(workload, "torch.nn", shape, median_seconds(step), shape["batch"] * shape["time"], "tokens/s")


def headwise_cell(kind, gates, state):
    """One step of a cell from its gate inputs, in plain tensor operations."""
    if kind == "lstm":
        i, f, z, o = gates
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(z)
        return torch.sigmoid(o) * torch.tanh(c), c
    i, f, z, o = gates
    _, c, n, m = state
    decayed = m + F.logsigmoid(f)
    stabiliser = torch.where(n == 0, i, torch.maximum(i, decayed))
    write, keep = torch.exp(i - stabiliser), torch.exp(decayed - stabiliser)
    c = keep * c + write * torch.tanh(z)
    n = torch.clamp(keep * n + write, min=1.0)
    return torch.sigmoid(o) * c / n, c, n, stabiliser


def headwise_train():
    """A cell with a block-diagonal recurrent matrix over projected inputs, as a loop over time: what one writes
    without a fused kernel."""
    for kind, states in (("lstm", 2), ("slstm", 4)):
        for batch, steps, heads, width in [(16, 256, 48, 16), (16, 256, 12, 64)]:
            recurrent = torch.nn.Parameter(torch.randn(4, heads, width, width) / width**0.5)
            projected = torch.randn(batch, steps, 4, heads, width, requires_grad=True)

            def step():
                recurrent.grad = projected.grad = None
                gates = projected.unbind(1)
                state = tuple(torch.zeros(batch, heads, width) for _ in range(states))
                outputs = []
                for t in range(steps):
                    product = torch.einsum("bnd,gned->bgne", state[0], recurrent)
                    state = headwise_cell(kind, (gates[t] + product).unbind(1), state)
                    outputs.append(state[0])
                torch.stack(outputs, 1).square().mean().backward()

            shape = {"batch": batch, "time": steps, "heads": heads, "head_width": width}
            report(f"headwise_{kind}_train", "torch loop", shape, median_seconds(step, 3), batch * steps, "tokens/s")


class ByteModel(torch.nn.Module):
    def __init__(self, vocabulary, width, layers):
        super().__init__()
        self.embed = torch.nn.Embedding(vocabulary, width)
        self.lstm = torch.nn.LSTM(width, width, layers, batch_first=True)
        self.head = torch.nn.Linear(width, vocabulary)

    def forward(self, x):
        return self.head(self.lstm(self.embed(x))[0])


def language_model_train():
    """One optimiser step: forward, loss, backward, clip, AdamW. The peak is the whole process's resident memory."""
    shape = {"batch": 32, "time": 128, "width": 512, "layers": 2, "vocabulary": 256}
    model = ByteModel(shape["vocabulary"], shape["width"], shape["layers"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
    text = torch.randint(0, 256, (shape["batch"], shape["time"] + 1))

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    seconds = median_seconds(step)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    work = shape["batch"] * shape["time"]
    report("language_model_train", "torch.nn.LSTM", shape, seconds, work, "tokens/s", process_peak_bytes=peak)


def streaming_step():
    """One time step at batch 1 with the state fed back, in ONNX Runtime."""
    import tempfile

    import onnxruntime

    class Step(torch.nn.Module):
        def __init__(self, inputs, hidden, layers):
            super().__init__()
            self.lstm = torch.nn.LSTM(inputs, hidden, layers, batch_first=True)

        def forward(self, x, h, c):
            y, (h, c) = self.lstm(x, (h, c))
            return y, h, c

    for inputs, hidden, layers in [(512, 512, 2), (64, 128, 1)]:
        example = (torch.randn(1, 1, inputs), torch.zeros(layers, 1, hidden), torch.zeros(layers, 1, hidden))
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            torch.onnx.export(
                Step(inputs, hidden, layers).eval(), example, file.name, input_names=["x", "h", "c"],
                output_names=["y", "hn", "cn"], dynamo=False)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = os.cpu_count() or 1
            session = onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])
        feed = {"x": example[0].numpy(), "h": example[1].numpy(), "c": example[2].numpy()}

        def steps():
            h, c = feed["h"], feed["c"]
            for _ in range(100):
                _, h, c = session.run(None, {"x": feed["x"], "h": h, "c": c})

        shape = {"inputs": inputs, "hidden": hidden, "layers": layers}
        report("streaming_step", "onnxruntime", shape, median_seconds(steps, 9) / 100, 1, "steps/s")


# --- operations on sequences ---------------------------------------------------------------------------------------


def loss_and_gradients(operation, *inputs):
    """A call that computes the mean of the squared result and its gradients: the way every operation here is timed."""

    def call():
        for x in inputs:
            x.grad = None
        operation(*inputs).square().mean().backward()

    return call


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


def scan():
    """h = a h + b elementwise. Without a scan of its own, torch users double the span (log-depth) or write a loop."""

    def doubling(a, b):
        span = 1
        while span < a.shape[1]:
            b = torch.cat((b[:, :span], b[:, span:] + a[:, span:] * b[:, :-span]), 1)
            a = torch.cat((a[:, :span], a[:, span:] * a[:, :-span]), 1)
            span *= 2
        return b

    def loop(a, b):
        h, states = torch.zeros_like(a[:, 0]), []
        for factor, term in zip(a.unbind(1), b.unbind(1)):
            h = factor * h + term
            states.append(h)
        return torch.stack(states, 1)

    for batch, steps, width in [(8, 512, 256), (8, 2048, 256), (1, 65536, 64)]:
        a, b = torch.rand(batch, steps, width, requires_grad=True), leaf(batch, steps, width)
        shape = {"batch": batch, "time": steps, "width": width}
        methods = {"torch log-depth": doubling} | ({"torch loop": loop} if steps <= 2048 else {})
        for name, method in methods.items():
            seconds = median_seconds(loss_and_gradients(method, a, b), 3)
            report("scan", name, shape, seconds, a.numel(), "elements/s")


def chunked_attention(q, k, v, log_decay, size=64):
    """Linear attention with a scalar decay, by matrix products within chunks and a loop over them."""
    batch, heads, steps, _ = q.shape
    q, k, v = (x.unflatten(2, (steps // size, size)) for x in (q, k, v))
    total = log_decay.unflatten(2, (steps // size, size)).cumsum(-1)
    future = torch.ones(size, size, dtype=torch.bool).triu(1)
    weights = (total.unsqueeze(-1) - total.unsqueeze(-2)).masked_fill(future, -torch.inf).exp()
    local = (q @ k.mT * weights) @ v
    # What each chunk adds to the state, seen from its end; then the states in order.
    end = total[..., -1:]
    added = (k * (end - total).exp().unsqueeze(-1)).mT @ v
    kept = end.exp().unsqueeze(-1)
    state, before = torch.zeros_like(added[:, :, 0]), []
    for index in range(steps // size):
        before.append(state)
        state = kept[:, :, index] * state + added[:, :, index]
    carried = (q * total.exp().unsqueeze(-1)) @ torch.stack(before, 2)
    return (local + carried).flatten(2, 3)


def scalar_decay_attention_train():
    for batch, heads, steps, key, value in [(4, 4, 2048, 64, 64), (1, 8, 4096, 64, 128)]:
        q, k, v = leaf(batch, heads, steps, key), leaf(batch, heads, steps, key), leaf(batch, heads, steps, value)
        log_decay = F.logsigmoid(torch.randn(batch, heads, steps)).requires_grad_()
        shape = {"batch": batch, "heads": heads, "time": steps, "key": key, "value": value}
        seconds = median_seconds(loss_and_gradients(chunked_attention, q, k, v, log_decay))
        report("scalar_decay_attention_train", "torch chunks", shape, seconds, batch * steps, "tokens/s")


def softmax_attention_train():
    for batch, heads, steps, key in [(4, 4, 2048, 64), (1, 8, 4096, 64)]:
        inputs = [leaf(batch, heads, steps, key) for _ in range(3)]
        attention = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)
        shape = {"batch": batch, "heads": heads, "time": steps, "key": key}
        seconds = median_seconds(loss_and_gradients(attention, *inputs), 3)
        report("softmax_attention_train", "torch sdpa", shape, seconds, batch * steps, "tokens/s")


def long_convolution_train():
    batch, steps, width = 4, 16384, 64
    u, kernel = leaf(batch, width, steps), leaf(width, steps)

    def convolution(u, kernel):
        spectrum = torch.fft.rfft(u, 2 * steps) * torch.fft.rfft(kernel, 2 * steps)
        return torch.fft.irfft(spectrum, 2 * steps)[..., :steps]

    seconds = median_seconds(loss_and_gradients(convolution, u, kernel))
    shape = {"batch": batch, "time": steps, "width": width}
    report("long_convolution_train", "torch.fft", shape, seconds, u.numel(), "elements/s")


def matrix_state_loop(workload, step, *inputs):
    """A recurrence of matrix states as a plain loop over time. Measured at fewer positions: the rate is per token."""
    shape = {"batch": 4, "heads": 4, "time": 2048, "key": 64, "value": 64}
    measured = inputs[0].shape[2]

    def loop(*inputs):
        state, outputs = torch.zeros(4, 4, 64, 64), []
        for q, *operands in zip(*(x.unbind(2) for x in inputs)):
            state = step(state, *operands)
            outputs.append((q.unsqueeze(-2) @ state).squeeze(-2))
        return torch.stack(outputs, 2)

    seconds = median_seconds(loss_and_gradients(loop, *inputs), 3) * shape["time"] / measured
    report(workload, "torch loop", shape, seconds, 4 * shape["time"], "tokens/s", measured_time=measured)


def gla_train(steps=256):
    q, k, v = (leaf(4, 4, steps, 64) for _ in range(3))
    log_decay = F.logsigmoid(torch.randn(4, 4, steps, 64)).requires_grad_()

    def step(state, k, v, log_decay):
        return log_decay.exp().unsqueeze(-1) * state + k.unsqueeze(-1) * v.unsqueeze(-2)

    matrix_state_loop("gla_train", step, q, k, v, log_decay)


def delta_rule_train(steps=256):
    q, v = leaf(4, 4, steps, 64), leaf(4, 4, steps, 64)
    k = F.normalize(torch.randn(4, 4, steps, 64), dim=-1).requires_grad_()
    beta = torch.rand(4, 4, steps, 1, requires_grad=True)

    def step(state, k, v, beta):
        error = v - (k.unsqueeze(-2) @ state).squeeze(-2)
        return state + k.unsqueeze(-1) * (beta * error).unsqueeze(-2)

    matrix_state_loop("delta_rule_train", step, q, k, v, beta)


# --- models --------------------------------------------------------------------------------------------------------


def small_model_train(workload, kind, configuration):
    """Loss and gradients of about two million parameters, by transformers without its CUDA kernels."""
    model = kind(configuration).train()
    batch, steps = 4, 256
    tokens = torch.randint(0, 1000, (batch, steps))

    def step():
        model.zero_grad()
        model(tokens, labels=tokens, use_cache=False).loss.backward()

    count = sum(parameter.numel() for parameter in model.parameters())
    shape = {"batch": batch, "time": steps}
    # A call takes many seconds: nothing to warm up, nothing to repeat.
    seconds = median_seconds(step, 1, warmup=0)
    report(workload, "transformers", shape, seconds, batch * steps, "tokens/s", parameters=count)


def mamba_2m_train():
    from transformers import MambaConfig, MambaForCausalLM

    configuration = MambaConfig(hidden_size=256, num_hidden_layers=4, vocab_size=1024, state_size=16)
    small_model_train("mamba_2m_train", MambaForCausalLM, configuration)


def mamba2_2m_train():
    from transformers import Mamba2Config, Mamba2ForCausalLM

    configuration = Mamba2Config(
        hidden_size=256, num_hidden_layers=4, vocab_size=1024, num_heads=8, head_dim=64, state_size=64, n_groups=1,
        tie_word_embeddings=True)
    small_model_train("mamba2_2m_train", Mamba2ForCausalLM, configuration)


def decode(name, kind, configuration, prompt=512, generate=32):
    """Reading a prompt without a cache, and greedy decoding after a short one, with random weights."""
    model = kind(configuration).eval()
    ids = torch.randint(0, 1000, (1, prompt))
    with torch.no_grad():
        model(ids[:, :32])
        start = time.perf_counter()
        model(ids, use_cache=False)
        report(f"{name}_prefill", "transformers", {"prompt": prompt}, time.perf_counter() - start, prompt, "tokens/s")
        start = time.perf_counter()
        model.generate(
            ids[:, :8], max_new_tokens=generate, min_new_tokens=generate, do_sample=False, pad_token_id=0)
        seconds = time.perf_counter() - start
        report(f"{name}_decode", "transformers", {"tokens": generate}, seconds, generate, "tokens/s")


def mamba_130m_decode():
    from transformers import MambaConfig, MambaForCausalLM

    decode("mamba_130m", MambaForCausalLM, MambaConfig(hidden_size=768, num_hidden_layers=24, vocab_size=50280))


def mamba2_130m_decode():
    from transformers import Mamba2Config, Mamba2ForCausalLM

    decode("mamba2_130m", Mamba2ForCausalLM, Mamba2Config(
        hidden_size=768, num_hidden_layers=24, vocab_size=50288, num_heads=24, head_dim=64, state_size=128, n_groups=1,
        tie_word_embeddings=True))


def mamba_2m_decode():
    from transformers import MambaConfig, MambaForCausalLM

    decode("mamba_2m", MambaForCausalLM, MambaConfig(hidden_size=256, num_hidden_layers=4, vocab_size=1024))


WORKLOADS = {
    "primitives": primitives,
    "gemm": gemm,
    "lstm_train": lambda: layer_training("lstm_train", torch.nn.LSTM),
    "gru_train": lambda: layer_training("gru_train", torch.nn.GRU),
    "elman_train": lambda: layer_training("elman_train", torch.nn.RNN),
    "headwise_train": headwise_train,
    "language_model_train": language_model_train,
    "streaming_step": streaming_step,
    "scan": scan,
    "scalar_decay_attention_train": scalar_decay_attention_train,
    "softmax_attention_train": softmax_attention_train,
    "long_convolution_train": long_convolution_train,
    "gla_train": gla_train,
    "delta_rule_train": delta_rule_train,
    "mamba_2m_train": mamba_2m_train,
    "mamba2_2m_train": mamba2_2m_train,
    "mamba_130m_decode": mamba_130m_decode,
    "mamba2_130m_decode": mamba2_130m_decode,
    "mamba_2m_decode": mamba_2m_decode,
}


def main():
    names = sys.argv[1:] or list(WORKLOADS)
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        sys.exit(f"unknown workload {', '.join(unknown)}; one of: {', '.join(WORKLOADS)}")
    for name in names:
        WORKLOADS[name]()


if __name__ == "__main__":
    main()
