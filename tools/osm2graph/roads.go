package main

import (
	"compress/bzip2"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/paulmach/osm"
	"github.com/paulmach/osm/osmpbf"
	"github.com/paulmach/osm/osmxml"
)

// drivable holds the values of the tag "highway" that a car may use. Paths,
// footways, cycleways, bridleways, steps and roads that are only planned,
// under construction or abandoned are left out.
var drivable = map[string]bool{
	"motorway": true, "motorway_link": true,
	"trunk": true, "trunk_link": true,
	"primary": true, "primary_link": true,
	"secondary": true, "secondary_link": true,
	"tertiary": true, "tertiary_link": true,
	"unclassified": true, "residential": true, "living_street": true,
	"service": true, "road": true, "track": true,
}

// point is a place on the Earth in units of 1e-7 degree.
type point struct{ latitudeE7, longitudeE7 int32 }

// way is one road: the ids of its points in the order of the map, and whether
// it may only be travelled in that order.
type way struct {
	points []osm.NodeID
	oneway bool
}

// roads is what of an extract is kept.
type roads struct {
	ways   []way
	places map[osm.NodeID]point
}

func readRoads(path string) (*roads, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	scanner := openScanner(path, file)
	defer scanner.Close()

	found := &roads{places: map[osm.NodeID]point{}}
	for scanner.Scan() {
		switch object := scanner.Object().(type) {
		case *osm.Node:
			found.places[object.ID] = pointOf(object.Lat, object.Lon)
		case *osm.Way:
			if drivable[object.Tags.Find("highway")] {
				found.ways = append(found.ways, wayOf(object))
			}
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	return found, found.check()
}

func openScanner(path string, file io.Reader) osm.Scanner {
	switch {
	case strings.HasSuffix(path, ".pbf"):
		return osmpbf.New(context.Background(), file, 1)
	case strings.HasSuffix(path, ".bz2"):
		return osmxml.New(context.Background(), bzip2.NewReader(file))
	default:
		return osmxml.New(context.Background(), file)
	}
}

// wayOf keeps the plain rule that only "yes" makes a road one-way. The rare
// "-1" (against the order of the map) and roundabouts without the tag stay
// open both ways: see data/README.md for how many there are.
func wayOf(object *osm.Way) way {
	kept := way{oneway: object.Tags.Find("oneway") == "yes"}
	for _, node := range object.Nodes {
		kept.points = append(kept.points, node.ID)
	}
	return kept
}

func pointOf(latitude, longitude float64) point {
	return point{int32(math.Round(latitude * 1e7)), int32(math.Round(longitude * 1e7))}
}

func (r *roads) check() error {
	for _, w := range r.ways {
		for _, id := range w.points {
			if _, known := r.places[id]; !known {
				return fmt.Errorf("a road uses node %d, which the extract does not hold", id)
			}
		}
	}
	if len(r.ways) == 0 {
		return fmt.Errorf("the extract holds no drivable road")
	}
	return nil
}
