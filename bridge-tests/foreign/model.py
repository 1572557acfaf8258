"""A plain and slow model of the engine, as docs/protocol.md tells it, to compare the real one with."""

import heapq
import struct

import wire
from wire import Status


class Model:
    """Nodes, edges and versions; unlimited in slots and edges."""

    def __init__(self, nodes_max):
        self.nodes_max = nodes_max
        self.versions = {}
        self.slots = {}
        self.edges = {}  # source -> {target: mask}

    def move(self, source, target, edge_mask, payload, version, digest_good=True, odd=False):
        """Applies a MOVE; returns its status. `odd`: a reserved byte is set."""
        if not digest_good:
            return Status.BAD_DIGEST
        if max(source, target) >= self.nodes_max or source == target or odd:
            return Status.OUT_OF_BOUNDS
        if version != 0 and (source not in self.slots or version != self.versions[source]):
            return Status.CONFLICT
        self.versions[source] = self.versions.get(source, 0) + 1
        head = (source, target, edge_mask, wire.weight(edge_mask), 1, len(payload), self.versions[source])
        data = struct.pack("<IIIBBHQ", *head) + payload
        self.slots[source] = data + bytes(wire.SLOT_BYTES - len(data))
        if edge_mask:
            self.edges.setdefault(source, {})[target] = edge_mask
        else:
            self.edges.get(source, {}).pop(target, None)
        return Status.OK

    def release(self, node, reserved=0):
        """Applies a RELEASE; returns its status."""
        if node >= self.nodes_max or reserved:
            return Status.OUT_OF_BOUNDS
        return Status.OK if self.slots.pop(node, None) else Status.NO_SLOT

    def read(self, node):
        """The 256 bytes of STATE."""
        return self.slots.get(node, bytes(wire.SLOT_BYTES))

    def route(self, source, target):
        """(distance, nodes): least distance, then fewest edges, then from the target back the lowest predecessor."""
        best = {source: (0, 0)}
        queue = [(0, 0, source)]
        while queue:
            distance, hops, node = heapq.heappop(queue)
            if (distance, hops) != best[node]:
                continue
            for neighbour, mask in self.edges.get(node, {}).items():
                found = (distance + wire.weight(mask), hops + 1)
                if neighbour not in best or found < best[neighbour]:
                    best[neighbour] = found
                    heapq.heappush(queue, (*found, neighbour))
        if target not in best:
            return wire.U64_MAX, ()
        return best[target][0], self._walk_back(best, source, target)

    def _walk_back(self, best, source, target):
        nodes = [target]
        while nodes[-1] != source:
            distance, hops = best[nodes[-1]]
            nodes.append(
                min(
                    node
                    for node, out in self.edges.items()
                    if node in best
                    and nodes[-1] in out
                    and (best[node][0] + wire.weight(out[nodes[-1]]), best[node][1] + 1) == (distance, hops)
                )
            )
        return tuple(reversed(nodes))
