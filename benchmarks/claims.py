#!/usr/bin/env python3
"""Computes the claims of one group from raw results, writes results/GROUP.json and `measured` in claims.toml, prints the table.

usage: claims.py GROUP COMMAND RAW.json…     Exit 0 also when a claim does not hold: it is printed as such.

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
    return metrics


def value_of(claim, metrics):
    def one(name):
        rounds = metrics[name]["rounds"]
        return max(rounds) if claim.get("of_rounds") == "worst" else statistics.median(rounds)

    value = one(claim["metric"])
    return value / one(claim["against"]) if "against" in claim else value


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
    for result in results:
        pattern = rf'(^id = "{re.escape(result["id"])}"\n(?:(?!\[\[).*\n)*?measured = )\S+$'
        text = re.sub(pattern, lambda match, value=result["value"]: f"{match.group(1)}{value}", text, count=1, flags=re.M)
    path.write_text(text, encoding="utf-8")


def main():
    group, command, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
    claims = tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))["claims"]
    metrics = load(paths)
    results = []
    for claim in claims:
        if claim["group"] != group:
            continue
        value = round(value_of(claim, metrics), 4)
        holds = value >= claim["goal"] if claim["better"] == "higher" else value <= claim["goal"]
        results.append({"id": claim["id"], "value": value, "goal": claim["goal"], "unit": claim["unit"], "holds": holds,
                        "n": len(metrics[claim["metric"]]["rounds"])})
    figures = {name: {"unit": metric["unit"], "median": round(statistics.median(metric["rounds"]), 4),
                      "lowest": round(min(metric["rounds"]), 4), "highest": round(max(metric["rounds"]), 4),
                      "n": len(metric["rounds"])}
               for name, metric in sorted(metrics.items())}
    target = HERE / "results" / f"{group}.json"
    target.parent.mkdir(exist_ok=True)
    document = {"claims": results, "command": command, "machine": machine(), "figures": figures}
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    keep_measured(results)

    for name, figure in figures.items():
        print(f"  {name:38} median {figure['median']:14.2f} {figure['unit']:10} of {figure['n']}"
              f" ({figure['lowest']:.2f} to {figure['highest']:.2f})")
    print()
    for claim, result in zip([claim for claim in claims if claim["group"] == group], results):
        sign = ">=" if claim["better"] == "higher" else "<="
        verdict = "holds" if result["holds"] else "DOES NOT HOLD"
        print(f"  {result['id']:26} {result['value']:12.3f} {result['unit']:6} goal {sign} {result['goal']:<8} {verdict}")
    print(f"  written to {target.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
