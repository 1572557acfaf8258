#!/usr/bin/env python3
"""Says whether the report of `make run` is whole and plausible. usage: check-report.py FILE CONNECTIONS RATE SECONDS"""
import json
import sys

PERCENTILES = ("p50", "p99", "p999")
COUNTS = ("connections", "moves_sent", "moves_acked", "moves_rejected", "rollback_revisions", "rss_start_bytes",
          "rss_end_bytes", "nodes", "edges")
NUMBERS = ("rollback_ms", "gc_pause_max_ms", "java_bytes_per_read")
# A slow machine may fall behind its schedule; a run that sent less than half of it measured nothing.
SENT_SHARE_MIN = 0.5


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def shape_errors(report):
    for name in COUNTS:
        if not (is_number(report.get(name)) and report[name] == int(report[name])):
            yield f"{name} is {report.get(name)!r}, not a whole number"
    for name in NUMBERS:
        if not is_number(report.get(name)):
            yield f"{name} is {report.get(name)!r}, not a number"
    for name in ("end_to_end_us", "queue_us", "engine_us"):
        figures = report.get(name)
        if not isinstance(figures, dict) or not all(is_number(figures.get(p)) for p in PERCENTILES):
            yield f"{name} is {figures!r}, not numbers under {', '.join(PERCENTILES)}"
        elif not figures["p50"] <= figures["p99"] <= figures["p999"]:
            yield f"{name} does not rise with the percentile: {figures}"
    if not isinstance(report.get("routes"), list) or not report["routes"]:
        yield "routes is not a list with at least one route"


def sense_errors(report, connections, rate, seconds):
    if report["connections"] != connections:
        yield f"connections is {report['connections']}, asked for were {connections}"
    if report["moves_sent"] < rate * seconds * SENT_SHARE_MIN:
        yield f"moves_sent is {report['moves_sent']}, less than half of the schedule of {rate * seconds}"
    if report["moves_acked"] + report["moves_rejected"] != report["moves_sent"]:
        yield "moves_acked + moves_rejected is not moves_sent: moves were lost"
    if report["rollback_hash_equal"] is not True:
        yield f"rollback_hash_equal is {report['rollback_hash_equal']!r}: the rollback was not exact"
    if report["java_bytes_per_read"] != 0:
        yield f"java_bytes_per_read is {report['java_bytes_per_read']}: a slot read allocated"
    if report["nodes"] < 2 or report["edges"] < 1:
        yield "the road network is empty"


def main():
    path, connections, rate, seconds = sys.argv[1], *map(int, sys.argv[2:5])
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    errors = list(shape_errors(report))
    if "rollback_hash_equal" not in report:
        errors.append("rollback_hash_equal is missing")
    if not errors:
        errors = list(sense_errors(report, connections, rate, seconds))
    for error in errors:
        print(f"check-report.py: FAILED: {path}: {error}", file=sys.stderr)
    if errors:
        return 1
    print(f"check-report.py: ok: {path}: {report['moves_acked']} moves acknowledged,"
          f" p99 {report['end_to_end_us']['p99']} us, rollback {report['rollback_ms']} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
