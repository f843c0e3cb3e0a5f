#!/usr/bin/env python3
"""Prints the table of docs/reproductions.md from folders of reports, one for each seed.

    for seed in 0 1 2; do rondo reproduce --all --seed $seed --out reports/$seed; done
    python3 Benchmarks/reproductions.py reports/*

With --long first, of reports of --full, only the long parts are in it.
"""

import json
import pathlib
import sys


def figure(value):
    """Three significant digits, as the reports' own figures."""
    if value is None:
        return "nan"
    return f"{value:.3g}"


def main(folders, long_only):
    reports = [{path.stem: json.loads(path.read_text()) for path in sorted(pathlib.Path(f).glob("*.json"))} for f in folders]
    slugs = list(dict.fromkeys(slug for report in reports for slug in report))
    seeds = ", ".join(str(next(iter(report.values()))["seed"]) for report in reports if report)
    print(f"| paper | part | measured | asked | seeds {seeds} | |")
    print("| --- | --- | --- | --- | --- | --- |")
    for slug in slugs:
        runs = [report[slug] for report in reports if slug in report]
        for index, part in enumerate(runs[0]["parts"]):
            if long_only and part["mode"] != "full":
                continue
            parts = [run["parts"][index] for run in runs if index < len(run["parts"])]
            for row, check in enumerate(part["checks"]):
                if check["criterion"] == "shown only":
                    continue
                same = [p["checks"][row] for p in parts if row < len(p["checks"])]
                verdict = "" if all(c["passed"] for c in same) else "**fails**"
                values = ", ".join(figure(c["value"]) for c in same)
                print(f"| {slug} | {part['name']} | {check['name']} | {check['criterion']} | {values} | {verdict} |")
            for failure in {p["failure"] for p in parts if p["failure"]}:
                print(f"| {slug} | {part['name']} | stopped: {failure} | | | **fails** |")


if __name__ == "__main__":
    long_only = sys.argv[1:2] == ["--long"]
    folders = sys.argv[2:] if long_only else sys.argv[1:]
    if not folders:
        sys.exit(__doc__)
    main(folders, long_only)
