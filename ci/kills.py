#!/usr/bin/env python3
"""Adds up what kills did, prints a line a kind, and writes the sums as raw results. usage: kills.py RAW.json COUNTS.jsonl…

Each line of counts is told by a test that compared what came with what was committed: kind, kills, records, repaired, lost, torn,
doubled, stalls. Exit 1 when there are none, or something was lost, torn or doubled or stood still."""
import json
import pathlib
import re
import sys

COUNTS = ("kills", "records", "repaired", "lost", "torn", "doubled", "stalls")
HARM = ("lost", "torn", "doubled", "stalls")


def add_up(paths):
    """{kind: {count: sum}} in the order in which kinds come."""
    kinds = {}
    for path in paths:
        for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            sums = kinds.setdefault(told["kind"], dict.fromkeys(COUNTS, 0))
            for count in COUNTS:
                sums[count] += told[count]
    return kinds


def harm_of(sums):
    return sum(sums[count] for count in HARM)


def raw(kinds):
    metrics = {"kills.count": {"unit": "kills", "rounds": [sum(sums["kills"] for sums in kinds.values())]},
               "kills.lost_torn_or_stalled": {"unit": "records", "rounds": [harm_of(sums) for sums in kinds.values()]}}
    for kind, sums in kinds.items():
        name = re.sub(r"[^a-z]+", "_", kind.lower())
        for count, value in sums.items():
            metrics[f"kills.{name}.{count}"] = {"unit": count, "rounds": [value]}
    return {"metrics": metrics}


def main():
    target, *paths = sys.argv[1:]
    kinds = add_up(paths)
    total = {count: sum(sums[count] for sums in kinds.values()) for count in COUNTS}
    for kind, sums in [*kinds.items(), ("all", total)]:
        print(f"  {kind:36} " + "  ".join(f"{count} {sums[count]:,}" for count in COUNTS))
    pathlib.Path(target).write_text(json.dumps(raw(kinds), indent=1) + "\n", encoding="utf-8")
    return 0 if total["kills"] > 0 and harm_of(total) == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
