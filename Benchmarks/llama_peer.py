#!/usr/bin/env python3
"""llama.cpp's side of Rondo's decoding benchmarks: the same shapes of Mamba, in float32 and in Q8_0.

One JSON object a line, with the keys of `rondo bench --json`. For every shape a model of random weights is written once
as a checkpoint of transformers and as two GGUF files. Before anything is timed, the scores of a prompt are compared
with those of `rondo logits` on the checkpoint: a difference above 1e-3 of the largest score in float32 is an error.

    python3 -m venv .venv-llama
    CMAKE_ARGS=-DGGML_NATIVE=ON .venv-llama/bin/pip install llama-cpp-python gguf safetensors \\
        --no-binary llama-cpp-python
    .venv-llama/bin/python Benchmarks/llama_peer.py mamba_2m_decode
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import gguf
import llama_cpp
import numpy as np
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHAPES = {
    "mamba_130m": {"vocab_size": 50280, "hidden_size": 768, "num_hidden_layers": 24},
    "mamba_2m": {"vocab_size": 1024, "hidden_size": 256, "num_hidden_layers": 4},
}
PROMPT = [1 + (37 * position) % 1000 for position in range(24)]
TOLERANCES = {"F32": 1e-3, "Q8_0": 0.1}
NAMES = {
    "backbone.embeddings": "token_embd", "backbone.norm_f": "output_norm", "norm": "attn_norm",
    "mixer.in_proj": "ssm_in", "mixer.conv1d": "ssm_conv1d", "mixer.x_proj": "ssm_x", "mixer.dt_proj": "ssm_dt",
    "mixer.A_log": "ssm_a", "mixer.D": "ssm_d", "mixer.out_proj": "ssm_out",
}


# --- files ---------------------------------------------------------------------------------------------------------


def configuration(shape):
    """What transformers' config.json says of a shape."""
    width = shape["hidden_size"]
    return shape | {
        "model_type": "mamba", "architectures": ["MambaForCausalLM"], "intermediate_size": 2 * width, "state_size": 16,
        "conv_kernel": 4, "time_step_rank": -(-width // 16), "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True,
        "use_bias": False, "use_conv_bias": True, "hidden_act": "silu", "expand": 2,
    }


def random_weights(config):
    """Weights by transformers' names, large enough that every part of the model matters."""
    random = np.random.default_rng(0)
    width, inner, state = config["hidden_size"], config["intermediate_size"], config["state_size"]
    rank = config["time_step_rank"]

    def matrix(rows, columns):
        return (random.standard_normal((rows, columns)) / columns**0.5).astype(np.float32)

    tensors = {"backbone.embeddings.weight": matrix(config["vocab_size"], width)}
    for layer in range(config["num_hidden_layers"]):
        # Time steps between 0.001 and 0.1, as the makers of Mamba begin.
        step = np.exp(random.uniform(np.log(1e-3), np.log(1e-1), inner))
        tensors |= {
            f"backbone.layers.{layer}.{name}": np.ascontiguousarray(value, np.float32)
            for name, value in {
                "norm.weight": np.ones(width),
                "mixer.in_proj.weight": matrix(2 * inner, width),
                "mixer.conv1d.weight": random.uniform(-0.5, 0.5, (inner, 1, config["conv_kernel"])),
                "mixer.conv1d.bias": random.uniform(-0.5, 0.5, inner),
                "mixer.x_proj.weight": matrix(rank + 2 * state, inner),
                "mixer.dt_proj.weight": matrix(inner, rank),
                "mixer.dt_proj.bias": step + np.log(-np.expm1(-step)),
                "mixer.A_log": np.log(np.tile(np.arange(1.0, state + 1), (inner, 1))),
                "mixer.D": np.ones(inner),
                "mixer.out_proj.weight": matrix(width, inner),
            }.items()
        }
    return tensors | {"backbone.norm_f.weight": np.ones(width, np.float32)}


def gguf_name(name):
    """llama.cpp's name of a tensor."""
    prefix, rest = "", name
    if name.startswith("backbone.layers."):
        layer, rest = name.removeprefix("backbone.layers.").split(".", 1)
        prefix = f"blk.{layer}."
    if rest in NAMES:
        return prefix + NAMES[rest]
    stem, kind = rest.rsplit(".", 1)
    return f"{prefix}{NAMES[stem]}.{kind}"


def write_gguf(path, config, tensors, quantization):
    """A checkpoint as llama.cpp reads it. Convolutions and rows that are no multiple of a block stay float32."""
    writer = gguf.GGUFWriter(str(path), "mamba")
    writer.add_context_length(2**20)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_ssm_conv_kernel(config["conv_kernel"])
    writer.add_ssm_inner_size(config["intermediate_size"])
    writer.add_ssm_state_size(config["state_size"])
    writer.add_ssm_time_step_rank(config["time_step_rank"])
    writer.add_layer_norm_rms_eps(config["layer_norm_epsilon"])
    writer.add_ssm_dt_b_c_rms(False)
    # Token numbers are all that is needed.
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(config["vocab_size"])
    is_quantized = quantization == gguf.GGMLQuantizationType.Q8_0
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if is_quantized else gguf.LlamaFileType.ALL_F32)
    for name, value in tensors.items():
        if name.endswith("A_log"):
            value = -np.exp(value)
        # A convolution [channels, 1, width] loses its middle axis.
        is_matrix = name.endswith("weight") and value.ndim == 2
        value = np.ascontiguousarray(value.squeeze(1) if value.ndim == 3 else value)
        if is_quantized and is_matrix and value.shape[1] % 32 == 0:
            writer.add_tensor(gguf_name(name), gguf.quants.quantize(value, quantization), raw_dtype=quantization)
        else:
            writer.add_tensor(gguf_name(name), value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def prepare(name, folder):
    """The files of a shape; those that are there already are kept."""
    folder = folder / name
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    config = configuration(SHAPES[name])
    tensors = random_weights(config)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    for kind in TOLERANCES:
        write_gguf(folder / f"{kind}.gguf", config, tensors, gguf.GGMLQuantizationType[kind])
    (folder / "complete").touch()
    return folder


# --- llama.cpp -----------------------------------------------------------------------------------------------------


@llama_cpp.llama_log_callback
def log(level, text, _):
    """Warnings and errors only; that there are no words is meant."""
    if level in (3, 4) and b"dummy tokens" not in text:
        sys.stderr.write(text.decode(errors="replace"))


class Llama:
    """A model and one stream, token by token."""

    def __init__(self, path):
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            sys.exit(f"llama.cpp does not read {path}")
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = options.n_batch = options.n_ubatch = 512
        options.n_threads = options.n_threads_batch = os.cpu_count() or 1
        self.context = llama_cpp.llama_init_from_model(self.model, options)
        if not self.context:
            sys.exit(f"llama.cpp makes no context for {path}")
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def restart(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def read(self, tokens):
        """Reads tokens in one batch and gives the scores after the last, which the next call overwrites."""
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        if status := llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(array, len(tokens))):
            sys.exit(f"llama_decode: {status}")
        scores = llama_cpp.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(scores, (self.vocabulary,))

    def close(self):
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def compare_scores(llama, folder, kind, rondo):
    """Compares the scores after a prompt, read at once and token by token, with Rondo's of the float32 checkpoint."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "ids.json").write_text(json.dumps(PROMPT))
        subprocess.run(
            [rondo, "logits", "--model", folder, "--ids", scratch / "ids.json", "--out", scratch / "out.safetensors"],
            check=True, capture_output=True)
        ours = load_file(scratch / "out.safetensors")["logits"][0, len(PROMPT) - 1]
    llama.restart()
    whole = llama.read(PROMPT).copy()
    llama.restart()
    for token in PROMPT:
        stepwise = llama.read([token])
    difference = max(np.abs(ours - theirs).max() for theirs in (whole, stepwise)) / np.abs(ours).max()
    print(f"{folder.name} {kind}: scores differ by {difference:.1e} of the largest", file=sys.stderr)
    if not difference <= TOLERANCES[kind]:
        sys.exit(f"{folder.name} {kind}: llama.cpp computes something else; {TOLERANCES[kind]} is allowed")


def report(workload, shape, seconds, count):
    line = {"workload": workload, "peer": "llama.cpp", "shape": shape, "seconds": seconds, "unit": "tokens/s"}
    print(json.dumps(line | {"rate": count / seconds}), flush=True)


def decode(name, folder, rondo, prompt=512, generate=32):
    """Reading a prompt in float32, and greedy decoding; the median of five."""
    folder = prepare(name, folder)
    for kind in TOLERANCES:
        llama = Llama(folder / f"{kind}.gguf")
        compare_scores(llama, folder, kind, rondo)

        def seconds_of(call):
            samples = []
            for _ in range(5):
                llama.restart()
                llama.read(PROMPT[:1])
                start = time.perf_counter()
                call()
                samples.append(time.perf_counter() - start)
            return statistics.median(samples)

        def make_tokens():
            token = PROMPT[1]
            for _ in range(generate):
                token = int(llama.read([token]).argmax())

        if kind == "F32":
            tokens = [1 + position % 1000 for position in range(prompt)]
            report(f"{name}_prefill", {"prompt": prompt}, seconds_of(lambda: llama.read(tokens)), prompt)
        shape = {"tokens": generate} | ({"bits": 8} if kind == "Q8_0" else {})
        report(f"{name}_decode", shape, seconds_of(make_tokens), generate)
        llama.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rondo", default=str(ROOT / ".build" / "release" / "rondo"))
    parser.add_argument("--files", type=pathlib.Path, default=ROOT / ".build" / "llama-peer", help="where models are kept")
    parser.add_argument("workloads", nargs="*", default=[f"{name}_decode" for name in SHAPES])
    options = parser.parse_args()
    names = [workload.removesuffix("_decode") for workload in options.workloads]
    if unknown := [name for name in names if name not in SHAPES]:
        sys.exit(f"unknown workload {', '.join(unknown)}; one of: {', '.join(f'{name}_decode' for name in SHAPES)}")
    llama_cpp.llama_log_set(log, None)
    llama_cpp.llama_backend_init()
    for name in names:
        decode(name, options.files, options.rondo)


if __name__ == "__main__":
    main()
