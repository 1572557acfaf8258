#!/usr/bin/env python3
"""Says whether a jcstress run did all it was to do. usage: check-jcstress.py LOG SOURCES REGEX

Every test class that the expression names has to be among those that passed. Tests whose name ends in Control are without the
protection that the others test: in a run that saw nothing there, nothing can be said of the others."""
import pathlib
import re
import sys

SAMPLES_MIN = 1_000


def main():
    log = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8", errors="replace")
    wanted = re.compile(sys.argv[3])
    package = "dev.lodestone.stress."
    sources = sorted(pathlib.Path(sys.argv[2]).glob("*.java"))
    names = [path.stem for path in sources if "@JCStressTest" in path.read_text(encoding="utf-8")]
    names = [name for name in names if wanted.search(package + name)]
    results = log.partition("RUN RESULTS:")[2]
    problems = [] if names else [f"no test matches {sys.argv[3]}"]
    for name in names:
        found = re.search(rf"\[OK\] {re.escape(package + name)}\n(.*?)(?:\.{{10}} \[|\Z)", results, re.S)
        if found is None:
            problems.append(f"{name} did not pass, or did not run")
            continue
        rows = re.findall(r"^ +(-?\d+(?:, -?\d+)*) +([\d,]+) +<?[\d.]+% +(\w+)", found[1], re.M)
        samples = {kind: sum(int(count.replace(",", "")) for _, count, of in rows if of == kind) for _, _, kind in rows}
        total = sum(samples.values())
        print(f"{name}: {total:,} samples" + (f", {samples.get('Interesting', 0):,} ruled out elsewhere"
                                              if name.endswith("Control") else ""))
        if total < SAMPLES_MIN:
            problems.append(f"{name} has {total} samples only")
        if name.endswith("Control") and not samples.get("Interesting"):
            problems.append(f"{name} saw nothing, so the run could not have seen anything elsewhere")
    for problem in problems:
        print(f"check-jcstress.py: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
