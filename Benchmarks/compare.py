#!/usr/bin/env python3
"""Runs Rondo's benchmarks and the peers' in turn, and prints ratios beside the machine's limits.

    python3 Benchmarks/compare.py --peers .venv-peers/bin/python --rounds 3 [WORKLOAD ...]

Both sides run each workload one after the other, several rounds; a ratio is ours / theirs in rate, taken round by
round, and the median is printed. Written for a noisy machine: read the ratios, not the seconds.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "Benchmarks" / "peers.py"
WORKLOADS = [
    "primitives", "gemm", "lstm_train", "gru_train", "elman_train", "headwise_train", "language_model_train",
    "streaming_step",
]


def measure(command):
    """The measurements a command prints, by workload and shape."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{result.stderr}")
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    return {(line["workload"], json.dumps(line["shape"], sort_keys=True)): line for line in lines}


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
    return None


# Bytes an element (or parameter) must move at least: reads and writes of float32 arrays.
TRAFFIC = {
    "mul_add": 8, "tanh": 8, "exp": 8, "sigmoid": 8, "row_sum": 4, "softmax": 8, "layer_norm": 8, "transpose_copy": 8,
    "cross_entropy_train": 8, "adamw_update": 28,
}


def share_of_limit(line, limits):
    """Which part of the physical limit was reached, as text."""
    if (work := flops(line)) is not None:
        return f"{work / line['seconds'] / limits['gemm_peak']:.0%} of GEMM peak"
    if line["workload"] in TRAFFIC:
        return f"{line['rate'] * TRAFFIC[line['workload']] / limits['memory_bandwidth']:.0%} of bandwidth"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rondo", default=str(ROOT / ".build" / "release" / "rondo"))
    parser.add_argument("--peers", default=str(ROOT / ".venv-peers" / "bin" / "python"), help="the peers' Python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("workloads", nargs="*", default=WORKLOADS)
    options = parser.parse_args()

    def ours_once(name):
        return measure([options.rondo, "bench", "--json", name])

    limits = {key[0]: line["rate"] for key, line in ours_once("limits").items()}
    print(f"GEMM peak {limits['gemm_peak'] / 1e9:.0f} GFLOP/s, memory {limits['memory_bandwidth'] / 1e9:.1f} GB/s\n")
    print("| workload | shape | rondo | peer | ratio | rondo at |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in options.workloads:
        rounds = [(ours_once(name), measure([options.peers, PEERS, name])) for _ in range(options.rounds)]
        for key, line in rounds[0][0].items():
            shape = " ".join(f"{k}={v}" for k, v in line["shape"].items())
            ours = [ours[key]["rate"] for ours, _ in rounds]
            theirs = [theirs[key]["rate"] for _, theirs in rounds if key in theirs]
            typical = dict(line, rate=statistics.median(ours), seconds=statistics.median(o[key]["seconds"] for o, _ in rounds))
            ratio = f"{statistics.median(a / b for a, b in zip(ours, theirs)):.2f}" if theirs else "–"
            peer = f"{statistics.median(theirs):.3g}" if theirs else "–"
            print(
                f"| {key[0]} | {shape} | {typical['rate']:.3g} {line['unit']} | {peer} | {ratio} | "
                f"{share_of_limit(typical, limits)} |",
                flush=True)
            if "process_peak_bytes" in rounds[0][1].get(key, {}) and line.get("process_peak_bytes"):
                ours_peak, peer_peak = line["process_peak_bytes"], rounds[0][1][key]["process_peak_bytes"]
                print(f"| peak memory | {shape} | {ours_peak >> 20} MiB | {peer_peak >> 20} MiB | {ours_peak / peer_peak:.2f} | |")


if __name__ == "__main__":
    main()
