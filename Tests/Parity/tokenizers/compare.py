#!/usr/bin/env python3
"""Compares a built `rondo` with the tokenizers library on random and adversarial texts.

    compare.py --rondo .build/release/rondo [--count 40000] [--seed 1] [--only gpt2 ...] [--file tokenizer.json ...]

For every pipeline of pipelines.py and every file: tokens with and without special tokens, decoded texts of these tokens
and of random ones, and the text of the streaming detokeniser. Prints every kind of difference once, and exits with 1 if
there is any. Without options, that is a million texts.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import pipelines
import samples
from tokenizers import Tokenizer


def ask(command, lines):
    run = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {run.stderr[-2000:]}")
    # Only \n ends a line: texts hold other line separators.
    answers = run.stdout.split("\n")[:-1]
    if len(answers) != len(lines):
        sys.exit(f"{' '.join(map(str, command))}: {len(answers)} answers to {len(lines)} lines")
    return [json.loads(answer) for answer in answers]


class Comparison:
    def __init__(self, name, rondo, folder, count, seed):
        self.name, self.folder, self.count, self.seed = name, folder, count, seed
        self.encode = [rondo, "tokenizer", "encode", "--model", folder, "--jsonl"]
        self.decode = [rondo, "tokenizer", "decode", "--model", folder, "--jsonl"]
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self.differences = 0

    def check(self, what, inputs, ours, theirs):
        wrong = [(i, a, b) for i, a, b in zip(inputs, ours, theirs) if a != b]
        self.differences += len(wrong)
        if wrong:
            text, ours, theirs = min(wrong, key=lambda item: len(item[0]))
            print(f"{self.name} {what}: {len(wrong)} of {len(inputs)}\n   of {text!r}\n rondo {ours!r}\n  lib  {theirs!r}")
            if what == "encode":
                print("  rondo", [self.tokenizer.id_to_token(i) for i in ours])
                print("  lib  ", [self.tokenizer.id_to_token(i) for i in theirs])

    def run(self):
        start = time.perf_counter()
        texts = list(samples.texts(self.count, self.seed))
        lines = [json.dumps(text, ensure_ascii=False) for text in texts]
        theirs = [self.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        self.check("encode", texts, ask(self.encode, lines), theirs)
        few = len(texts) // 4
        specials = [self.tokenizer.encode(text).ids for text in texts[:few]]
        self.check("specials", texts[:few], ask(self.encode + ["--add-special-tokens"], lines[:few]), specials)

        random_ = random.Random(self.seed)
        size = max(self.tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        ids = theirs[:few] + [
            [random_.randrange(size) for _ in range(random_.randrange(1, 30))] for _ in range(few)]
        ids = [i for i in ids if i]
        id_lines = [json.dumps(i) for i in ids]
        for options, skips in (([], False), (["--skip-special-tokens"], True), (["--streaming"], False)):
            texts = [self.tokenizer.decode(i, skip_special_tokens=skips) for i in ids]
            self.check(f"decode {options}", ids, ask(self.decode + options, id_lines), texts)
        print(f"{self.name}: {self.differences} differences, {time.perf_counter() - start:.0f} s", flush=True)
        return self.differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rondo", default=".build/release/rondo")
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of pipelines")
    parser.add_argument("--file", nargs="*", default=[], help="tokenizer.json files to compare as well")
    arguments = parser.parse_args()
    training = list(samples.training_text())
    chosen = [build for build in pipelines.ALL if arguments.only is None or build.__name__ in arguments.only]
    sources = [(build.__name__, lambda build=build: build(training)) for build in chosen]
    sources += [(path, lambda path=path: Tokenizer.from_file(path)) for path in arguments.file]
    differences = 0
    # Each tokenizer reads texts of its own.
    for seed, (name, make) in enumerate(sources, arguments.seed):
        with tempfile.TemporaryDirectory() as folder:
            make().save(str(pathlib.Path(folder) / "tokenizer.json"))
            differences += Comparison(name, arguments.rondo, folder, arguments.count, seed).run()
    print(f"{len(sources) * arguments.count} texts, {differences} differences")
    sys.exit(1 if differences else 0)


main()
