#!/usr/bin/env python3
"""Runs Rondo's benchmarks and the peers' in turn, and prints ratios beside the machine's limits.

    python3 Benchmarks/compare.py --peers .venv-peers/bin/python --rounds 3 [WORKLOAD ...]
    python3 Benchmarks/compare.py --peers "" --llama .venv-llama/bin/python mamba_2m_decode mamba_130m_decode

Both sides run each workload one after the other, several rounds; a ratio is ours / theirs in rate, taken round by
round, and the median is printed. Where users have several ways, each is a row of its own. Written for a noisy machine:
read the ratios, not the seconds.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "Benchmarks" / "peers.py"
LLAMA = ROOT / "Benchmarks" / "llama_peer.py"
LLAMA_WORKLOADS = {"mamba_130m_decode", "mamba_2m_decode"}
WORKLOADS = [
    "primitives", "gemm", "lstm_train", "gru_train", "elman_train", "headwise_train", "language_model_train",
    "streaming_step", "scan", "scalar_decay_attention_train", "softmax_attention_train", "long_convolution_train",
    "gla_train", "delta_rule_train", "mamba_2m_train", "mamba2_2m_train", "mamba_130m_decode", "mamba2_130m_decode",
    "mamba_2m_decode",
]


def measure(command):
    """The measurements a command prints, by workload and shape, and then by peer."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{result.stderr}")
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    measurements = {}
    for line in lines:
        key = (line["workload"], json.dumps(line["shape"], sort_keys=True))
        measurements.setdefault(key, {})[line["peer"]] = line
    return measurements


def flops(line):
    """Arithmetic of one call of the workloads whose limit is the GEMM peak; None for the others."""
    shape, workload = line["shape"], line["workload"]
    gates = {"lstm_train": 4, "gru_train": 3, "elman_train": 1}
    if workload == "gemm":
        return 2 * shape["m"] * shape["n"] * shape["k"]
    if workload in gates:
        # Input and recurrent products, once forward and twice backward.
        return 3 * 2 * 2 * shape["batch"] * shape["time"] * gates[workload] * shape["width"] ** 2
    if workload == "language_model_train":
        width, tokens = shape["width"], shape["batch"] * shape["time"]
        layers = 2 * shape["layers"] * 4 * width * width
        return 3 * 2 * tokens * (layers + width * shape["vocabulary"])
    if workload.endswith("_prefill"):
        return 2 * line["parameters"] * shape["prompt"]
    if "parameters" in line and "weight_bytes" not in line:
        # Each parameter once a token, forward and twice backward; the head's matrix is the embedding's.
        return 3 * 2 * line["parameters"] * shape["batch"] * shape["time"]
    if workload in STATE_PRODUCTS:
        # The recurrence's own arithmetic, whatever is computed instead: so many products of a vector and the state.
        products = 3 * STATE_PRODUCTS[workload] * 2 * shape["key"] * shape["value"]
        return products * shape["batch"] * shape["heads"] * shape["time"]
    if workload == "softmax_attention_train":
        # Two products forward and five backward, each over half of the square.
        return 7 * shape["batch"] * shape["heads"] * shape["time"] ** 2 * shape["key"]
    return None


# Products of vectors and state matrices in a forward step: write and read; the delta rule looks before it writes.
STATE_PRODUCTS = {"scalar_decay_attention_train": 2, "gla_train": 2, "delta_rule_train": 3}


# Bytes an element (or parameter) must move at least: reads and writes of float32 arrays.
TRAFFIC = {
    "mul_add": 8, "tanh": 8, "exp": 8, "sigmoid": 8, "row_sum": 4, "softmax": 8, "layer_norm": 8, "transpose_copy": 8,
    "cross_entropy_train": 8, "adamw_update": 28,
    # Forward a, b to h; the loss reads h and writes its gradient; backward a, h and that to two gradients.
    "scan": 44,
    # Forward u to y; the loss; backward u and the gradient to that of u.
    "long_convolution_train": 32,
}


def share_of_limit(line, limits):
    """Which part of the physical limit was reached, as text."""
    if "weight_bytes" in line:
        # All weights once for a token of every stream.
        passes = line["rate"] / line["shape"].get("streams", 1)
        return f"{line['weight_bytes'] * passes / limits['memory_bandwidth']:.0%} of bandwidth"
    if (work := flops(line)) is not None:
        return f"{work / line['seconds'] / limits['gemm_peak']:.0%} of GEMM peak"
    if line["workload"] in TRAFFIC:
        return f"{line['rate'] * TRAFFIC[line['workload']] / limits['memory_bandwidth']:.0%} of bandwidth"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rondo", default=str(ROOT / ".build" / "release" / "rondo"))
    parser.add_argument("--peers", default=str(ROOT / ".venv-peers" / "bin" / "python"), help="the peers' Python; '' for none")
    parser.add_argument("--llama", default="", help="a Python with llama-cpp-python and gguf, see llama_peer.py")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("workloads", nargs="*", default=WORKLOADS)
    options = parser.parse_args()

    def ours_once(name):
        return measure([options.rondo, "bench", "--json", name])

    def peers_once(name):
        commands = [[options.peers, PEERS, name]] if options.peers else []
        if options.llama and name in LLAMA_WORKLOADS:
            commands.append([options.llama, LLAMA, "--rondo", options.rondo, name])
        measurements = {}
        for command in commands:
            for key, lines in measure(command).items():
                measurements.setdefault(key, {}).update(lines)
        return measurements

    limits = {key[0]: lines["rondo"]["rate"] for key, lines in ours_once("limits").items()}
    print(f"GEMM peak {limits['gemm_peak'] / 1e9:.0f} GFLOP/s, memory {limits['memory_bandwidth'] / 1e9:.1f} GB/s\n")
    print("| workload | shape | rondo | peer | ratio | rondo at |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in options.workloads:
        rounds = [(ours_once(name), peers_once(name)) for _ in range(options.rounds)]
        for key in rounds[0][0]:
            ours = [ours[key]["rondo"] for ours, _ in rounds]
            peers = rounds[0][1].get(key, {})
            for peer in peers or [None]:
                print_row(ours, [theirs[key][peer] for _, theirs in rounds] if peer else [], limits)


def print_row(ours, theirs, limits):
    """One row of the table from the measurements of all rounds; a second one where memory was measured too."""
    line = ours[0]
    rate = statistics.median(o["rate"] for o in ours)
    typical = dict(line, rate=rate, seconds=statistics.median(o["seconds"] for o in ours))
    shape = " ".join(f"{k}={v}" for k, v in line["shape"].items())
    if "parameters" in line:
        shape += f" ({line['parameters']} parameters)"
    ratio = peer = "–"
    if theirs:
        ratio = f"{statistics.median(o['rate'] / t['rate'] for o, t in zip(ours, theirs)):.2f}"
        peer = f"{statistics.median(t['rate'] for t in theirs):.3g} ({theirs[0]['peer']})"
    share = share_of_limit(typical, limits)
    print(f"| {line['workload']} | {shape} | {rate:.3g} {line['unit']} | {peer} | {ratio} | {share} |", flush=True)
    if line.get("process_peak_bytes") and theirs and "process_peak_bytes" in theirs[0]:
        own, other = line["process_peak_bytes"], theirs[0]["process_peak_bytes"]
        print(f"| peak memory | {shape} | {own >> 20} MiB | {other >> 20} MiB | {own / other:.2f} | |")


if __name__ == "__main__":
    main()
