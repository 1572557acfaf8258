#!/usr/bin/env python3
"""networkit, a C++ library for graph analysis with a Python face: distances from one node to all, in turns with the engine.

usage: networkit_peer.py NAME NODES DEGREE         (started by graph.py, which tells the protocol)

Its graph is the uniform one of the Rust program, arc for arc, with weights of 64-bit floating point, the only ones it has.
Only the search is timed; predecessors are not stored. Changes of edges are left out: each would be a call from Python.
"""
import json
import sys
import time

import networkit
import numpy

U64 = numpy.uint64


def mix(value):
    mixed = value + U64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ mixed >> U64(30)) * U64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> U64(27)) * U64(0x94D049BB133111EB)
    return mixed ^ mixed >> U64(31)


def uniform(nodes, degree):
    source = numpy.repeat(numpy.arange(nodes, dtype=U64), degree)
    nth = numpy.tile(numpy.arange(degree, dtype=U64), nodes)
    target = (source + U64(1) + mix(source << U64(32) | nth) % U64(nodes - 1)) % U64(nodes)
    random = mix(source << U64(32) | target)
    weight = (random & U64(0xFF) ^ random >> U64(8) & U64(0xFF)).astype(numpy.float64)
    return networkit.GraphFromCoo((weight, (source, target)), nodes, weighted=True, directed=True)


def one_to_all(graph, source):
    """Nanoseconds an arc, and the sum of the distances of all that is reached."""
    search = networkit.distance.Dijkstra(graph, source, storePaths=False)
    started = time.perf_counter_ns()
    search.run()
    spent = time.perf_counter_ns() - started
    distances = numpy.array(search.getDistances())
    return spent, float(distances[distances < 1e300].sum())


def main():
    name, nodes, degree = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    arcs, name = nodes * degree, f"{name}.networkit"
    # One thread, like every other contender.
    networkit.setNumberOfThreads(1)
    started = time.perf_counter()
    graph = uniform(nodes, degree)
    print(json.dumps({f"{name}.load": ["s", time.perf_counter() - started]}), flush=True)
    for line in sys.stdin:
        number = int(mix(numpy.array([int(line.split()[1])], dtype=U64))[0]) % arcs
        spent, total = one_to_all(graph, number // degree)
        print(json.dumps({f"{name}.one_to_all": ["ns/arc", spent / arcs], f"{name}.sum": ["units", total]}), flush=True)


if __name__ == "__main__":
    main()
