#!/usr/bin/env python3
"""Draws latency against rate, a curve for each server, as SVG. usage: knee.py RAW.json CHART.svg

A point is the median of the rounds. A curve ends where the 99th percentile passed 100 ms, or a move stayed unanswered.
"""
import html
import json
import math
import pathlib
import re
import statistics
import sys

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 46, 58
COLOURS = {"lodestone": "#c2410c", "quic-go": "#0369a1", "netty-quic": "#4d7c0f", "netty-tcp": "#6b7280"}
NAMES = {"lodestone": "Lodestone", "quic-go": "quic-go", "netty-quic": "Netty QUIC", "netty-tcp": "Netty TLS/TCP"}


def curves(metrics, percentile):
    """{contender: [(rate, milliseconds), …]} by rising rate."""
    found = {}
    for name, metric in metrics.items():
        match = re.fullmatch(rf"quic\.knee_(\d+)\.([a-z-]+)\.{percentile}", name)
        if match:
            found.setdefault(match[2], []).append((int(match[1]), statistics.median(metric["rounds"]) / 1e3))
    return {name: sorted(points) for name, points in found.items()}


class Plot:
    """Logarithmic axes."""

    def __init__(self, points):
        rates, times = [rate for rate, _ in points], [value for _, value in points]
        self.rate_low, self.rate_high = math.log10(min(rates)), math.log10(max(rates)) + 1e-9
        self.time_low, self.time_high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)) + 1e-9)

    def place(self, rate, value):
        """Where a point lies on the page."""
        across = (math.log10(rate) - self.rate_low) / (self.rate_high - self.rate_low)
        up = (math.log10(value) - self.time_low) / (self.time_high - self.time_low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def text(x, y, words, anchor="middle", colour="#111827", size=12, weight="normal"):
    """One line of writing."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}"'
            f' font-weight="{weight}">{html.escape(words)}</text>')


def grid(plot, rates):
    """Lines and numbers of both axes."""
    lines = []
    for power in range(plot.time_low, plot.time_high + 1):
        _, y = plot.place(rates[0], 10.0**power)
        lines.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#d1d5db"/>')
        lines.append(text(LEFT - 8, y + 4, f"{10.0**power:g} ms", "end"))
    for rate in rates:
        x, _ = plot.place(rate, 10.0**plot.time_low)
        lines.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#e5e7eb"/>')
        lines.append(text(x, HEIGHT - BOTTOM + 18, f"{rate:,}"))
    lines.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "moves a second, 1,000 connections"))
    return lines


def draw(upper, middle):
    """The whole page."""
    plot = Plot([point for group in (upper, middle) for points in group.values() for point in points])
    rates = sorted({rate for points in upper.values() for rate, _ in points})
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
             ' font-family="system-ui, sans-serif">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
             text(LEFT, 26, "From when a move was due to its acknowledgement: p99 full, p50 dashed", "start", size=14, weight="bold")]
    lines += grid(plot, rates)
    ends = []
    for name, points in upper.items():
        for group, dash in ((points, ""), (middle.get(name, []), ' stroke-dasharray="5 4" opacity="0.6"')):
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (plot.place(*point) for point in group))
            lines.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"{dash}/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[name]}"/>'
                  for x, y in (plot.place(*point) for point in points)]
        ends.append((name, COLOURS[name]))
    for number, (name, colour) in enumerate(ends):
        y = TOP + 12 + 22 * number
        lines.append(f'<rect x="{WIDTH - RIGHT + 18}" y="{y - 9}" width="12" height="12" fill="{colour}"/>')
        lines.append(text(WIDTH - RIGHT + 36, y + 1, NAMES[name], "start"))
    return "\n".join([*lines, "</svg>", ""])


def main():
    raw, chart = (pathlib.Path(argument) for argument in sys.argv[1:])
    metrics = json.loads(raw.read_text(encoding="utf-8"))["metrics"]
    upper = curves(metrics, "p99")
    if not upper:
        sys.exit(f"knee.py: {raw} has no curve")
    chart.write_text(draw(upper, curves(metrics, "p50")), encoding="utf-8")


if __name__ == "__main__":
    main()
