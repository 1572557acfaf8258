package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/paulmach/osm"
)

// earthRadiusMM is the mean radius of the Earth in millimetres.
const earthRadiusMM = 6_371_008_800

// unitStepMM keeps the unit of weight a round number.
const unitStepMM = 100

// weightMax is what eight bits hold.
const weightMax = 255

// arc is one direction of travel between two neighbouring points of a road.
type arc struct {
	source, target uint32
	lengthMM       uint64
	weight         uint8
}

// graph is the road network with dense node ids, arcs ordered by source, then
// target; where several roads join the same two nodes, the longest comes
// first, so that a reader which sets arc after arc ends with the shortest.
type graph struct {
	places []point
	arcs   []arc
	unitMM uint64
}

func buildGraph(r *roads) (*graph, error) {
	ids := orderNodes(r)
	g := &graph{places: make([]point, len(ids))}
	for id, index := range ids {
		g.places[index] = r.places[id]
	}
	lengths := make([][]uint64, len(r.ways))
	longest := uint64(0)
	for i, w := range r.ways {
		lengths[i] = segmentLengths(w, r.places)
		for _, length := range lengths[i] {
			longest = max(longest, length)
		}
	}
	g.unitMM = unitFor(longest)
	for i, w := range r.ways {
		g.addWay(w, ids, lengths[i])
	}
	slices.SortFunc(g.arcs, func(a, b arc) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.target, b.target),
			cmp.Compare(b.weight, a.weight), cmp.Compare(b.lengthMM, a.lengthMM))
	})
	if len(g.places) > math.MaxUint32 || len(g.arcs) > math.MaxUint32 {
		return nil, fmt.Errorf("too many nodes or arcs for the file: %d, %d", len(g.places), len(g.arcs))
	}
	return g, nil
}

func segmentLengths(w way, places map[osm.NodeID]point) []uint64 {
	var lengths []uint64
	for i := 1; i < len(w.points); i++ {
		lengths = append(lengths, distanceMM(places[w.points[i-1]], places[w.points[i]]))
	}
	return lengths
}

// unitFor is the smallest round unit in which the longest arc fits eight bits
// with one unit to spare, so that no arc is clipped however it is rounded.
func unitFor(longestMM uint64) uint64 {
	unit := uint64(unitStepMM)
	for longestMM/unit+1 > weightMax {
		unit += unitStepMM
	}
	return unit
}

// addWay rounds positions along the road, not single lengths: the weights of
// any stretch of one road add up to its true length within one unit.
func (g *graph) addWay(w way, ids map[osm.NodeID]uint32, lengths []uint64) {
	position, rounded := uint64(0), uint64(0)
	for i, length := range lengths {
		position += length
		next := (position + g.unitMM/2) / g.unitMM
		weight := uint8(next - rounded)
		rounded = next
		source, target := ids[w.points[i]], ids[w.points[i+1]]
		g.arcs = append(g.arcs, arc{source, target, length, weight})
		if !w.oneway {
			g.arcs = append(g.arcs, arc{target, source, length, weight})
		}
	}
}

// distanceMM is the great-circle distance, rounded to a millimetre so that the
// last bit of the platform's sine cannot change a file.
func distanceMM(a, b point) uint64 {
	latitudeA, latitudeB := radians(a.latitudeE7), radians(b.latitudeE7)
	sinLatitude := math.Sin((latitudeB - latitudeA) / 2)
	sinLongitude := math.Sin((radians(b.longitudeE7) - radians(a.longitudeE7)) / 2)
	h := sinLatitude*sinLatitude + math.Cos(latitudeA)*math.Cos(latitudeB)*sinLongitude*sinLongitude
	return uint64(math.Round(2 * earthRadiusMM * math.Asin(math.Sqrt(min(h, 1)))))
}

func radians(degreesE7 int32) float64 { return float64(degreesE7) * (math.Pi / 180e7) }
