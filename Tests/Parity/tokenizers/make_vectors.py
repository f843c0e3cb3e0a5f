#!/usr/bin/env python3
"""Writes Tests/RondoTokenizersTests/Vectors: small tokenizers, and what the tokenizers library makes of texts.

For every pipeline of pipelines.py there is NAME.json, the tokenizer, and in vectors.json what becomes of the texts and of
random tokens, with and without special tokens.
"""
import json
import os
import pathlib
import random

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import pipelines
import samples
from tokenizers import Tokenizer

FIXED = [
    "", " ", "Hello, world!", "  leading and trailing  ", "I'll don't DON'T 'LL it's", "naïve café cafe\u0301 Ångström",
    "12345 1,000 3.14 ½ ²", "a\n\nb\r\n\tc  \n d", "привет мир 你好 世界 안녕 שלום नमस्ते", "👍🏽 👨‍👩‍👧 🇩🇪 ﬁ Ａ１",
    "<s>the<|endoftext|> [MASK]  x</s>", "the " * 20, "a" * 100, "\u0000\u0001\u00a0\u3000\u200b\ufeff\ufffd", "Day day <A> B [N]",
]


def main():
    folder = pathlib.Path(__file__).resolve().parents[3] / "Tests/RondoTokenizersTests/Vectors"
    folder.mkdir(parents=True, exist_ok=True)
    training = list(samples.training_text(1500))
    texts = FIXED + list(samples.texts(14, 5))
    lines = [f'"texts": {json.dumps(texts)}']
    for build in pipelines.ALL:
        name = build.__name__
        build(training).save(str(folder / f"{name}.json"), pretty=False)
        tokenizer = Tokenizer.from_file(str(folder / f"{name}.json"))
        random_ = random.Random(3)
        size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        tokens = [[random_.randrange(size) for _ in range(12)] for _ in range(12)]
        vector = {
            "encoded": [tokenizer.encode(text, add_special_tokens=False).ids for text in texts],
            "surrounded": [tokenizer.encode(text).ids for text in FIXED[:3]],
            "tokens": tokens,
            "decoded": [tokenizer.decode(ids, skip_special_tokens=False) for ids in tokens],
            "skipped": [tokenizer.decode(ids, skip_special_tokens=True) for ids in tokens],
        }
        lines.append(f"{json.dumps(name)}: {json.dumps(vector, separators=(',', ':'))}")
    (folder / "vectors.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
