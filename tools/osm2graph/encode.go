package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
)

const (
	magic         = "LSGRAPH1"
	formatVersion = 1
)

// encode writes the graph in the layout of native/map: header, attribution,
// coordinates as differences, out-degrees, arcs as differences to their
// source, and an FNV-1a-64 checksum of all of it.
func encode(g *graph, attribution string) ([]byte, error) {
	if len(attribution) > math.MaxUint16 {
		return nil, fmt.Errorf("attribution of %d bytes; the file holds at most %d", len(attribution), math.MaxUint16)
	}
	out := []byte(magic)
	out = binary.LittleEndian.AppendUint32(out, formatVersion)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(g.places)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(g.arcs)))
	out = binary.LittleEndian.AppendUint32(out, uint32(g.unitMM))
	out = binary.LittleEndian.AppendUint16(out, uint16(len(attribution)))
	out = append(out, attribution...)
	out = appendPlaces(out, g.places)
	out = appendArcs(out, len(g.places), g.arcs)
	sum := fnv.New64a()
	sum.Write(out)
	return binary.LittleEndian.AppendUint64(out, sum.Sum64()), nil
}

func appendPlaces(out []byte, places []point) []byte {
	var before point
	for _, place := range places {
		out = binary.AppendVarint(out, int64(place.latitudeE7)-int64(before.latitudeE7))
		out = binary.AppendVarint(out, int64(place.longitudeE7)-int64(before.longitudeE7))
		before = place
	}
	return out
}

func appendArcs(out []byte, nodes int, arcs []arc) []byte {
	degrees := make([]uint64, nodes)
	for _, a := range arcs {
		degrees[a.source]++
	}
	for _, degree := range degrees {
		out = binary.AppendUvarint(out, degree)
	}
	for _, a := range arcs {
		out = binary.AppendVarint(out, int64(a.target)-int64(a.source))
		out = append(out, a.weight)
	}
	return out
}
