package main

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paulmach/osm"
)

// The checked-in files must come out again, byte for byte.
func TestCheckedInFilesAreReproduced(t *testing.T) {
	if testing.Short() {
		t.Skip("reads both extracts")
	}
	directory := t.TempDir()
	command := exec.Command("./generate.sh", directory)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("generate.sh: %v\n%s", err, output)
	}
	for _, name := range []string{"delaware.lsg", "andorra.lsg"} {
		made, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadFile(filepath.Join("..", "..", "data", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, kept) {
			t.Errorf("%s: %d bytes made now, %d checked in, and they differ", name, len(made), len(kept))
		}
	}
}

func TestUnitIsTheSmallestRoundOneThatClipsNothing(t *testing.T) {
	for _, c := range []struct{ longestMM, unitMM uint64 }{
		{0, 100}, {25_499, 100}, {25_500, 200}, {1_824_293, 7_200}, {1_118_046, 4_400},
	} {
		if unit := unitFor(c.longestMM); unit != c.unitMM {
			t.Errorf("longest %d mm: unit %d mm, want %d", c.longestMM, unit, c.unitMM)
		}
	}
}

func TestWeightsOfAnyStretchAddUpToItsLengthWithinOneUnit(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewSource(seed))
	w := way{oneway: true}
	ids := map[osm.NodeID]uint32{}
	var lengths []uint64
	for i := range 500 {
		w.points = append(w.points, osm.NodeID(i))
		ids[osm.NodeID(i)] = uint32(i)
		if i > 0 {
			lengths = append(lengths, uint64(random.Intn(60_000)))
		}
	}
	g := &graph{unitMM: unitFor(60_000)}
	g.addWay(w, ids, lengths)
	for first := range g.arcs {
		length, weight := uint64(0), uint64(0)
		for _, a := range g.arcs[first:] {
			length += a.lengthMM
			weight += uint64(a.weight) * g.unitMM
			if difference := int64(weight) - int64(length); difference > int64(g.unitMM) || -difference > int64(g.unitMM) {
				t.Fatalf("seed %d: from arc %d: weights say %d mm, the road has %d", seed, first, weight, length)
			}
		}
	}
}

const smallMap = `<osm version="0.6">
<node id="11" lat="39.0" lon="-75.0"/><node id="12" lat="39.001" lon="-75.0"/><node id="13" lat="39.001" lon="-75.001"/>
<node id="14" lat="39.5" lon="-75.5"/>
<way id="1"><nd ref="11"/><nd ref="12"/><nd ref="13"/><tag k="highway" v="residential"/></way>
<way id="2"><nd ref="13"/><nd ref="11"/><tag k="highway" v="service"/><tag k="oneway" v="yes"/></way>
<way id="3"><nd ref="13"/><nd ref="14"/><tag k="highway" v="footway"/></way>
</osm>`

func writeSmallMap(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.osm")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSmallMapKeepsRoadsAndDirections(t *testing.T) {
	found, err := readRoads(writeSmallMap(t, smallMap))
	if err != nil {
		t.Fatal(err)
	}
	g, err := buildGraph(found)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.places) != 3 || len(g.arcs) != 5 {
		t.Fatalf("%d nodes and %d arcs, want 3 and 5 (footway left out, one road one-way)", len(g.places), len(g.arcs))
	}
	for _, a := range g.arcs {
		// A thousandth of a degree of latitude is 111.195 m.
		from, to := g.places[a.source], g.places[a.target]
		if from.longitudeE7 == to.longitudeE7 && a.lengthMM != 111_195 {
			t.Errorf("arc %v: %d mm, want 111195", a, a.lengthMM)
		}
	}
}

func TestRoadWithAnUnknownPointIsRefused(t *testing.T) {
	_, err := readRoads(writeSmallMap(t, strings.Replace(smallMap, `<nd ref="12"/>`, `<nd ref="99"/>`, 1)))
	if err == nil || !strings.Contains(err.Error(), "node 99") {
		t.Fatalf("error %v, want one that names node 99", err)
	}
}

func TestFileLayout(t *testing.T) {
	g := &graph{
		places: []point{{390_000_000, -750_000_000}, {390_000_001, -750_000_002}},
		arcs:   []arc{{source: 0, target: 1, weight: 200}, {source: 1, target: 0, weight: 200}},
		unitMM: 7_200,
	}
	out, err := encode(g, "ab")
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("LSGRAPH1")
	want = append(want, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0x20, 0x1c, 0, 0, 2, 0, 'a', 'b')
	want = binary.AppendVarint(want, 390_000_000)
	want = binary.AppendVarint(want, -750_000_000)
	want = append(want, 2, 3, 1, 1, 2, 200, 1, 200)
	sum := fnv.New64a()
	sum.Write(want)
	want = binary.LittleEndian.AppendUint64(want, sum.Sum64())
	if !bytes.Equal(out, want) {
		t.Fatalf("layout\n got %x\nwant %x", out, want)
	}
}

func TestMissingOptionsAreRefused(t *testing.T) {
	if err := run([]string{"-input", "x"}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "-output") {
		t.Fatalf("error %v, want one that names -output", err)
	}
}
