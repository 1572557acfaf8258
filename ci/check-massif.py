#!/usr/bin/env python3
"""Says whether the heap in a massif file stays flat once the engine has started. usage: check-massif.py FILE"""
import re
import sys

# The first part of a run is the start, which takes all memory there will ever be.
START_SHARE = 0.25
GROWTH_SHARE_MAX = 0.01


def main():
    with open(sys.argv[1], encoding="ascii", errors="replace") as file:
        text = file.read()
    times = [int(value) for value in re.findall(r"^time=(\d+)$", text, re.M)]
    heaps = [int(value) for value in re.findall(r"^mem_heap_B=(\d+)$", text, re.M)]
    # Massif's last snapshot lies after main has returned and everything was given back.
    running = [heap for time, heap in zip(times, heaps) if START_SHARE * times[-1] <= time < times[-1]]
    if len(running) < 4:
        print(f"check-massif.py: FAILED: only {len(running)} snapshots after the start", file=sys.stderr)
        return 1
    growth = (max(running) - running[0]) / max(running[0], 1)
    print(f"check-massif.py: {len(running)} snapshots, {running[0]} to {max(running)} bytes, growth {growth:.2%}")
    return 0 if growth <= GROWTH_SHARE_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
