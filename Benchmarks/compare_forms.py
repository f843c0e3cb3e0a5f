#!/usr/bin/env python3
"""Compares the forms of a model in Rondo and in transformers: whole, step by step, in pieces, in padded batches.

    python3 Benchmarks/compare_forms.py FOLDER ...

FOLDER is a checkpoint that both load (config.json, model.safetensors). Needs torch and transformers, and a built
`rondo`. Every number is the largest difference to the program's own whole pass, relative to the largest score; about
1e-7 is correct in float32. The first column compares the whole passes of the two programs.
"""
import argparse
import inspect
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file

COLUMNS = ["whole: rondo - transformers", "step by step", "continue with a chunk", "left-padded",
           "next token after right-padded prefill"]
LENGTHS = (23, 14)
CUT = 9

transformers.logging.set_verbosity_error()


def distance(a, b, scale):
    return ((a - b).abs().max() / scale).item()


class Transformers:
    """What transformers computes."""

    def __init__(self, folder, rows):
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.rows = rows

    def call(self, ids, past=None, mask=None, start=0):
        arguments = dict(use_cache=True)
        names = inspect.signature(self.model.forward).parameters
        if mask is not None and "attention_mask" in names:
            arguments["attention_mask"] = mask
        if start and "cache_position" in names:
            arguments["cache_position"] = torch.arange(start, start + ids.shape[1])
        if past is not None:
            arguments.update(past)
        output = self.model(ids, **arguments)
        for name in ("cache_params", "past_key_values", "state"):
            if getattr(output, name, None) is not None:
                return output.logits, {name: getattr(output, name)}
        return output.logits, None

    def whole(self):
        return [self.model(torch.tensor([row]), use_cache=False).logits[0] for row in self.rows]

    def pieces(self, cuts):
        row = torch.tensor([self.rows[0]])
        past, parts, start = None, [], 0
        for end in cuts + [row.shape[1]]:
            logits, past = self.call(row[:, start:end], past, start=start)
            if past is None:
                return None
            parts.append(logits[0])
            start = end
        return torch.cat(parts)

    def padded(self, left):
        length = max(map(len, self.rows)) - 1
        ids, mask = [], []
        for row in self.rows:
            row = row[:-1]
            filler = [0] * (length - len(row))
            ids.append(filler + row if left else row + filler)
            mask.append([0] * len(filler) + [1] * len(row) if left else [1] * len(row) + [0] * len(filler))
        mask = torch.tensor(mask)
        logits, past = self.call(torch.tensor(ids), mask=mask)
        if left:
            row = self.rows[1]
            return logits[1, length - len(row) + 1:]
        if past is None:
            return None
        last = torch.tensor([[row[-1]] for row in self.rows])
        after = torch.cat([mask, torch.ones(len(self.rows), 1, dtype=mask.dtype)], 1)
        return self.call(last, past, mask=after, start=length)[0][1, -1]


class Rondo:
    """What Rondo computes."""

    def __init__(self, program, folder, rows):
        self.program, self.folder, self.rows = program, folder, rows

    def logits(self, form, rows, *more):
        with tempfile.TemporaryDirectory() as scratch:
            ids, out = f"{scratch}/ids.json", f"{scratch}/logits.safetensors"
            pathlib.Path(ids).write_text(json.dumps(rows))
            subprocess.run([self.program, "logits", "--model", self.folder, "--ids", ids, "--out", out, "--form", form,
                            "--quiet", *more], check=True)
            return load_file(out)["logits"]

    def whole(self):
        logits = self.logits("parallel", self.rows)
        return [logits[index, :len(row)] for index, row in enumerate(self.rows)]

    def pieces(self, cuts):
        if len(cuts) > 1:
            return self.logits("step", self.rows[:1])[0]
        return self.logits("chunk", self.rows[:1], "--cuts", ",".join(map(str, cuts)))[0]

    def padded(self, left):
        row = self.rows[1]
        if left:
            return self.logits("left-padded", self.rows)[1, :len(row) - 1]
        return self.logits("right-padded", self.rows)[1, len(row) - 1]


def attempt(compute, want, scale):
    """A number, a dash where the program has no such way, or the error's name."""
    try:
        got = compute()
        if got is None:
            return "-"
        if got.shape != want.shape:
            return f"shape {list(got.shape)}"
        return f"{distance(got, want, scale):.0e}"
    except Exception as error:  # every failure of a peer is a result
        return type(error).__name__


def measure(side, whole, scale):
    steps = list(range(1, len(side.rows[0])))
    short = whole[1]
    return [
        attempt(lambda: side.pieces(steps), whole[0], scale), attempt(lambda: side.pieces([CUT]), whole[0], scale),
        attempt(lambda: side.padded(True), short[:-1], scale), attempt(lambda: side.padded(False), short[-1], scale)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--rondo", default=".build/release/rondo")
    options = parser.parse_args()
    print("| model | program | " + " | ".join(COLUMNS) + " |")
    print("| --- " * (len(COLUMNS) + 2) + "|")
    for folder in options.folders:
        vocabulary = json.loads((pathlib.Path(folder) / "config.json").read_text())["vocab_size"]
        torch.manual_seed(0)
        rows = [torch.randint(0, vocabulary, (length,)).tolist() for length in LENGTHS]
        name = pathlib.Path(folder).name
        with torch.no_grad():
            theirs, ours = Transformers(folder, rows), Rondo(options.rondo, folder, rows)
            expected, own = theirs.whole(), ours.whole()
            scale = expected[0].abs().max()
            first = f"{max(distance(a, b, scale) for a, b in zip(own, expected)):.0e}"
            for label, side, whole in (("rondo", ours, own), ("transformers", theirs, expected)):
                print(f"| {name} | {label} | {first} | " + " | ".join(measure(side, whole, scale)) + " |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
