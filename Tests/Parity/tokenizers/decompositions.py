#!/usr/bin/env python3
"""Writes Sources/RondoTokenizers/Unicode/DecompositionData.swift from Python's Unicode database.

Every character with a decomposition is one record: its number as the difference to the one before, its kind (0 canonical,
1 canonical and composing, 2 compatibility) with the number of characters, and those characters, each as the difference
to the last one written, folded to be positive. All numbers are base 32, least digit first; digits that are not the last of
a number are capital letters of the second half of the alphabet below.
"""
import pathlib
import unicodedata

DIGITS = "0123456789abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ+-*/=<"


def number(value: int) -> str:
    text = ""
    while True:
        digit, value = value % 32, value // 32
        text += DIGITS[digit + (32 if value else 0)]
        if not value:
            return text


def folded(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def records() -> str:
    text, last, last_part = "", 0, 0
    for scalar in range(0x110000):
        decomposition = unicodedata.decomposition(chr(scalar))
        if not decomposition:
            continue
        fields = decomposition.split()
        compatible = fields[0].startswith("<")
        parts = [int(field, 16) for field in (fields[1:] if compatible else fields)]
        composes = len(parts) == 2 and unicodedata.normalize("NFC", "".join(map(chr, parts))) == chr(scalar)
        kind = 2 if compatible else 1 if composes else 0
        text += number(scalar - last) + number(len(parts) * 3 + kind)
        last = scalar
        for part in parts:
            text += number(folded(part - last_part))
            last_part = part
    return text


def main() -> None:
    text = records()
    width = 110
    lines = [text[start:start + width] for start in range(0, len(text), width)]
    root = pathlib.Path(__file__).resolve().parents[3]
    path = root / "Sources/RondoTokenizers/Unicode/DecompositionData.swift"
    head = (
        f"/// Decompositions of Unicode {unicodedata.unidata_version}, written by"
        " `Tests/Parity/tokenizers/decompositions.py`, which says how.\n"
        "enum DecompositionData {\n    static let records: StaticString = \"\"\"\n"
    )
    path.write_text(head + "\\\n".join(f"        {line}" for line in lines) + "\n        \"\"\"\n}\n")
    print(f"{path}: {len(text)} characters")


main()
