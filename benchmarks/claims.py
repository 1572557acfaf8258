#!/usr/bin/env python3
"""Computes the claims of one group from raw JMH results, writes results/GROUP.json and prints the table.

usage: claims.py GROUP RAW.json…     Exit 0 also when a claim does not hold: it is printed as such.
"""
import json
import pathlib
import statistics
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
# JMH's profiler counts its own few bytes per iteration; below a thousandth of a byte an operation allocates nothing.
ALLOCATION_NOISE_BYTES = 1e-3


def load_rounds(paths):
    """{benchmark: [scores of all iterations]} and {benchmark: [bytes per operation, one a round]}."""
    scores, allocated = {}, {}
    for path in paths:
        for entry in json.loads(pathlib.Path(path).read_text(encoding="utf-8")):
            name = ".".join(entry["benchmark"].split(".")[-2:])
            iterations = [score for fork in entry["primaryMetric"]["rawData"] for score in fork]
            scores.setdefault(name, []).extend(iterations)
            rate = entry["secondaryMetrics"].get("gc.alloc.rate.norm") or entry["secondaryMetrics"].get("·gc.alloc.rate.norm")
            if rate:
                allocated.setdefault(name, []).append(rate["score"])
    return scores, allocated


def value_of(claim, scores, allocated):
    own = claim["benchmark"]
    if claim["measure"] == "ratio":
        return statistics.median(scores[own]) / statistics.median(scores[claim["peer"]])
    if claim["measure"] == "score":
        return statistics.median(scores[own])
    if claim["measure"] == "allocated":
        norm = statistics.median(allocated[own])
        return 0.0 if norm < ALLOCATION_NOISE_BYTES else norm
    raise ValueError(f"claim {claim['id']}: unknown measure {claim['measure']}")


def main():
    group, paths = sys.argv[1], sys.argv[2:]
    claims = tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))["claims"]
    scores, allocated = load_rounds(paths)
    results = []
    for claim in claims:
        if claim["group"] != group:
            continue
        value = round(value_of(claim, scores, allocated), 4)
        results.append({"id": claim["id"], "value": value, "goal": claim["goal"], "unit": claim["unit"],
                        "holds": value <= claim["goal"]})
    figures = {name: {"median": round(statistics.median(values), 4), "iterations": len(values)}
               for name, values in sorted(scores.items())}
    target = HERE / "results" / f"{group}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"claims": results, "medians_ns": figures}, indent=2) + "\n", encoding="utf-8")

    for name, figure in figures.items():
        print(f"  {name:48} median {figure['median']:10.2f} ns of {figure['iterations']} iterations")
    for result in results:
        verdict = "holds" if result["holds"] else "DOES NOT HOLD"
        print(f"  {result['id']:28} {result['value']:10.3f} {result['unit']:5} goal {result['goal']:<8} {verdict}")
    print(f"  written to {target.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
