// Command osm2graph turns an OpenStreetMap extract into a Lodestone road graph
// (.lsg): the drivable roads, their crossings and bends as nodes, and one arc
// for each direction of travel with a length that fits eight bits.
//
// The same extract gives the same file, byte for byte.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "osm2graph:", err)
		os.Exit(1)
	}
}

type options struct {
	input       string
	output      string
	attribution string
	routes      int
}

func parseOptions(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("osm2graph", flag.ContinueOnError)
	flags.StringVar(&o.input, "input", "", "extract to read: .osm.pbf, .osm or .osm.bz2")
	flags.StringVar(&o.output, "output", "", "graph file to write (.lsg)")
	flags.StringVar(&o.attribution, "attribution", "", "text that names the source and its licence")
	flags.IntVar(&o.routes, "routes", 0, "also measure the length error on this many random routes")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if o.input == "" || o.output == "" || o.attribution == "" {
		return o, fmt.Errorf("-input, -output and -attribution are all needed; see -help")
	}
	return o, nil
}

func run(arguments []string, out io.Writer) error {
	o, err := parseOptions(arguments)
	if err == flag.ErrHelp {
		return nil
	}
	if err != nil {
		return err
	}
	roads, err := readRoads(o.input)
	if err != nil {
		return fmt.Errorf("%s: %w", o.input, err)
	}
	g, err := buildGraph(roads)
	if err != nil {
		return fmt.Errorf("%s: %w", o.input, err)
	}
	bytes, err := encode(g, o.attribution)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.output, bytes, 0o644); err != nil {
		return err
	}
	describe(out, g, len(bytes))
	if o.routes > 0 {
		describeRoutes(out, measureRoutes(g, o.routes))
	}
	return nil
}
