package foreign

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	nodesMax   = 100_000
	tokenKey   = 7
	endLimit   = 90 * time.Second
	readyLimit = 90 * time.Second
)

var (
	root       = filepath.Join("..", "..", "..")
	secret     = []byte("0123456789abcdef0123456789abcdef")
	ready      = regexp.MustCompile(`^LODESTONE READY quic=([^ ]+) cert=(.+) pid=(\d+)\n$`)
	plain      *served
	tokens     *served
	nextOfNode atomic.Uint32
)

// What differs from the defaults; JSON is YAML.
var configurations = map[string]string{
	"plain": `{"arena": {"capacity": 40000}, "graph": {"nodes_max": 100000, "edges_max": 200000}}`,
	"tiny":  `{"arena": {"capacity": 4}, "graph": {"nodes_max": 1000, "edges_max": 3}}`,
	"tokens": fmt.Sprintf(`{"arena": {"capacity": 100}, "graph": {"nodes_max": 1000, "edges_max": 1000}, `+
		`"transport": {"auth": {"keys": [{"id": %d, "secret_hex": "%x"}]}}}`, tokenKey, secret),
}

// served is one foreground server of the product.
type served struct {
	name, address, certificate string
	pid                        int
	command                    *exec.Cmd
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	for name, place := range map[string]**served{"plain": &plain, "tokens": &tokens} {
		server, err := serve(name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "server %s: %v\n", name, err)
			return 1
		}
		defer server.kill()
		*place = server
	}
	return m.Run()
}

func serve(name string) (*served, error) {
	logs := filepath.Join(root, "target", "foreign-go")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, err
	}
	configuration, err := filepath.Abs(filepath.Join(logs, name+".yaml"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(configuration, []byte(configurations[name]), 0o644); err != nil {
		return nil, err
	}
	jars, err := filepath.Glob(filepath.Join(root, "java-api", "target", "lodestone-[0-9]*[0-9].jar"))
	if err != nil || len(jars) != 1 {
		return nil, fmt.Errorf("one jar of the server is needed (ci/build.sh server), there are %d: %v", len(jars), err)
	}
	jar, err := filepath.Abs(jars[0])
	if err != nil {
		return nil, err
	}
	command := exec.Command("ci/with-tools.sh", "java", "-jar", jar, "serve", "--config", configuration, "--port", "0")
	command.Dir = root
	log, err := os.Create(filepath.Join(logs, name+".log"))
	if err != nil {
		return nil, err
	}
	command.Stderr = log
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	timer := time.AfterFunc(readyLimit, func() { _ = command.Process.Kill() })
	line, err := bufio.NewReader(output).ReadString('\n')
	timer.Stop()
	found := ready.FindStringSubmatch(line)
	if found == nil {
		_ = command.Process.Kill()
		_ = command.Wait()
		return nil, fmt.Errorf("said %q (%v) instead of READY; its log is %s", line, err, log.Name())
	}
	pid, err := strconv.Atoi(found[3])
	return &served{name, found[1], found[2], pid, command}, err
}

// own is a server for one test alone.
func own(t *testing.T, name string) *served {
	t.Helper()
	server, err := serve(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.kill)
	return server
}

// stop ends the server as an operator does; the error is how it ended, if not well.
func (s *served) stop() error {
	if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.AfterFunc(endLimit, func() { _ = s.command.Process.Kill() })
	defer timer.Stop()
	return s.command.Wait()
}

func (s *served) kill() {
	if s.command.ProcessState == nil {
		_ = s.command.Process.Kill()
		_ = s.command.Wait()
	}
}

// nodes are numbers that no other test of this server uses.
func nodes(count uint32) uint32 {
	return nextOfNode.Add(count) - count
}
