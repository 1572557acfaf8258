package main

import (
	"container/heap"
	"fmt"
	"io"
	"math"
	"math/rand"
	"slices"
)

// routeSeed makes the measured routes the same in every run.
const routeSeed = 1

func describe(out io.Writer, g *graph, bytes int) {
	distinct, loops, longest, zeros, longestWeight := 0, 0, uint64(0), 0, uint8(0)
	for i, a := range g.arcs {
		longest = max(longest, a.lengthMM)
		longestWeight = max(longestWeight, a.weight)
		if a.weight == 0 {
			zeros++
		}
		switch {
		case a.source == a.target:
			loops++
		case i == 0 || g.arcs[i-1].source != a.source || g.arcs[i-1].target != a.target:
			distinct++
		}
	}
	fmt.Fprintf(out, "nodes %d, arcs %d (distinct pairs %d, loops %d), %d bytes\n",
		len(g.places), len(g.arcs), distinct, loops, bytes)
	fmt.Fprintf(out, "unit %d mm, longest arc %.3f m (weight %d), weight 0 on %d arcs\n",
		g.unitMM, float64(longest)/1000, longestWeight, zeros)
}

// routeErrors holds, for each measured route, how far its weights are from the
// true length of the same route.
type routeErrors struct {
	metres, share []float64
	lengthKM      []float64
}

func describeRoutes(out io.Writer, errors routeErrors) {
	slices.Sort(errors.metres)
	slices.Sort(errors.share)
	slices.Sort(errors.lengthKM)
	at := func(values []float64, share float64) float64 {
		return values[int(share*float64(len(values)-1))]
	}
	fmt.Fprintf(out, "%d routes, median length %.1f km\n", len(errors.metres), at(errors.lengthKM, 0.5))
	fmt.Fprintf(out, "length error: median %.1f m (%.3f %%), p99 %.1f m (%.3f %%), worst %.1f m (%.3f %%)\n",
		at(errors.metres, 0.5), at(errors.share, 0.5)*100, at(errors.metres, 0.99), at(errors.share, 0.99)*100,
		at(errors.metres, 1), at(errors.share, 1)*100)
}

// measureRoutes takes shortest routes by weight between random nodes and
// compares each with the true length of the roads it uses.
func measureRoutes(g *graph, routes int) routeErrors {
	first := firstArcs(g)
	random := rand.New(rand.NewSource(routeSeed))
	var errors routeErrors
	for attempts := 0; len(errors.metres) < routes && attempts < 20*routes; attempts++ {
		source, target := uint32(random.Intn(len(g.places))), uint32(random.Intn(len(g.places)))
		weight, lengthMM, found := shortest(g, first, source, target)
		if !found || lengthMM == 0 {
			continue
		}
		difference := math.Abs(float64(weight*g.unitMM) - float64(lengthMM))
		errors.metres = append(errors.metres, difference/1000)
		errors.share = append(errors.share, difference/float64(lengthMM))
		errors.lengthKM = append(errors.lengthKM, float64(lengthMM)/1e6)
	}
	return errors
}

func firstArcs(g *graph) []int {
	first := make([]int, len(g.places)+1)
	for _, a := range g.arcs {
		first[a.source+1]++
	}
	for i := 1; i < len(first); i++ {
		first[i] += first[i-1]
	}
	return first
}

// label is a node reached with a sum of weights and the true length of the
// roads that led there.
type label struct {
	weight, lengthMM uint64
	node             uint32
}

type labelHeap []label

func (h labelHeap) Len() int           { return len(h) }
func (h labelHeap) Less(i, j int) bool { return h[i].weight < h[j].weight }
func (h labelHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *labelHeap) Push(x any)        { *h = append(*h, x.(label)) }
func (h *labelHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

func shortest(g *graph, first []int, source, target uint32) (weight, lengthMM uint64, found bool) {
	settled := make([]bool, len(g.places))
	frontier := &labelHeap{{node: source}}
	for frontier.Len() > 0 {
		at := heap.Pop(frontier).(label)
		if settled[at.node] {
			continue
		}
		settled[at.node] = true
		if at.node == target {
			return at.weight, at.lengthMM, true
		}
		for _, a := range g.arcs[first[at.node]:first[at.node+1]] {
			if !settled[a.target] {
				heap.Push(frontier, label{at.weight + uint64(a.weight), at.lengthMM + a.lengthMM, a.target})
			}
		}
	}
	return 0, 0, false
}
