#!/usr/bin/env python3
"""Computes the claims of one group from raw results, writes results/GROUP.json and `measured` in claims.toml, prints the table.

usage: claims.py [--check] GROUP COMMAND RAW.json…     Exit 0 also when a claim does not hold: it is printed as such.
--check writes nothing, and exits with 1 when a claim has no raw results: it tries the benchmark, not the product.

A raw file is what JMH writes, or {"metrics": {name: {"unit": …, "rounds": [value, …]}}} from our own programs.
"""
import json
import os
import pathlib
import platform
import re
import statistics
import sys
import tomllib

HERE = pathlib.Path(__file__).parent


def add(metrics, name, unit, values):
    metrics.setdefault(name, {"unit": unit, "rounds": []})["rounds"].extend(values)


def load(paths):
    """{metric: {unit, rounds}} of all files together."""
    metrics = {}
    for path in paths:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            for name, metric in content["metrics"].items():
                add(metrics, name, metric["unit"], metric["rounds"])
            continue
        for entry in content:
            name = ".".join(entry["benchmark"].split(".")[-2:])
            iterations = [score for fork in entry["primaryMetric"]["rawData"] for score in fork]
            add(metrics, name, "ns", iterations)
    add_best_peers(metrics)
    return metrics


def add_best_peers(metrics):
    """Of each row of rings the peer with the best median, once more as `best_peer`, so that a claim can stand against it."""
    best = {}
    for name, metric in metrics.items():
        parts = name.split(".", 3)
        if name.startswith("rings.") and len(parts) == 4 and not parts[2].startswith(("ours", "best_peer", "limit")):
            key = f"rings.{parts[1]}.best_peer.{parts[3]}"
            best.setdefault(key, []).append((statistics.median(metric["rounds"]), metric))
    for name, peers in best.items():
        better = max if peers[0][1]["unit"] == "M/s" else min
        metrics[name] = better(peers, key=lambda peer: peer[0])[1]


def quiet_value(values, lost, count):
    """The median over the `count` rounds that lost least to others; rounds that lost as little as the last of them count, too."""
    bound = sorted(lost)[min(count, len(lost)) - 1]
    return statistics.median(value for value, away in zip(values, lost, strict=True) if away <= bound)


def value_of(claim, metrics):
    """The claim's value; None when something it needs was not measured."""
    wanted = [claim[key] for key in ("metric", "against", "quiet_by", "quiet_by_against") if key in claim]
    if not all(name in metrics for name in wanted):
        return None

    def one(name, quiet_by):
        rounds = metrics[name]["rounds"]
        match claim.get("of_rounds", "median"):
            case "median":
                return statistics.median(rounds)
            case "worst":
                return max(rounds)
            case "lowest":
                return min(rounds)
            case "quietest":
                return quiet_value(rounds, metrics[claim[quiet_by]]["rounds"], claim.get("quiet_rounds", 1))
            case other:
                sys.exit(f"claims.py: of_rounds = {other!r} in claim {claim['id']}")

    value = one(claim["metric"], "quiet_by")
    return round(value / one(claim["against"], "quiet_by_against") if "against" in claim else value, 4)


def machine():
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", pathlib.Path("/proc/meminfo").read_text(encoding="utf-8"), re.M)
    return {"processor": cpu.group(1) if cpu else platform.processor(), "processors": os.cpu_count(),
            "memory_gib": round(int(memory.group(1)) / 2**20, 1) if memory else None,
            "system": f"{platform.system()} {platform.release()}", "load_average_1m": round(os.getloadavg()[0], 2)}


def keep_measured(results):
    """Writes the values into claims.toml: the line `measured` of each claim, which follows its id."""
    path = HERE / "claims.toml"
    text = path.read_text(encoding="utf-8")
    for result in (result for result in results if result["value"] is not None):
        pattern = rf'(^id = "{re.escape(result["id"])}"\n(?:(?!\[\[).*\n)*?measured = )\S+$'
        text = re.sub(pattern, lambda match, value=result["value"]: f"{match.group(1)}{value}", text, count=1, flags=re.M)
    path.write_text(text, encoding="utf-8")


def compute(claims, metrics):
    results = []
    for claim in claims:
        value = value_of(claim, metrics)
        holds = value is not None and (value >= claim["goal"] if claim["better"] == "higher" else value <= claim["goal"])
        results.append({"id": claim["id"], "value": value, "goal": claim["goal"], "unit": claim["unit"], "holds": holds,
                        "n": len(metrics[claim["metric"]]["rounds"]) if value is not None else 0})
    return results


def table(claims, results, figures):
    for name, figure in figures.items():
        print(f"  {name:38} median {figure['median']:14.2f} {figure['unit']:10} of {figure['n']}"
              f" ({figure['lowest']:.2f} to {figure['highest']:.2f})")
    print()
    for claim, result in zip(claims, results, strict=True):
        sign = ">=" if claim["better"] == "higher" else "<="
        verdict = "holds" if result["holds"] else "DOES NOT HOLD" if result["value"] is not None else "NOT MEASURED"
        value = "-" if result["value"] is None else f"{result['value']:.3f}"
        print(f"  {result['id']:26} {value:>12} {result['unit']:6} goal {sign} {result['goal']:<8} {verdict}")


def main():
    checking = "--check" in sys.argv
    group, command, *paths = [argument for argument in sys.argv[1:] if argument != "--check"]
    claims = tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))["claims"]
    claims = [claim for claim in claims if claim["group"] == group]
    metrics = load(paths)
    results = compute(claims, metrics)
    figures = {name: {"unit": metric["unit"], "median": round(statistics.median(metric["rounds"]), 4),
                      "lowest": round(min(metric["rounds"]), 4), "highest": round(max(metric["rounds"]), 4),
                      "n": len(metric["rounds"])}
               for name, metric in sorted(metrics.items())}
    table(claims, results, figures)
    if checking:
        missing = [result["id"] for claim, result in zip(claims, results, strict=True)
                   if result["value"] is None and not claim.get("optional")]
        sys.exit(f"claims.py: no raw results for {', '.join(missing)}" if missing else 0)
    target = HERE / "results" / f"{group}.json"
    target.parent.mkdir(exist_ok=True)
    document = {"claims": results, "command": command, "machine": machine(), "figures": figures}
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    keep_measured(results)
    print(f"  written to {target.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
