//go:build autobahn

package websocket

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/magpie-bridge/magpie/internal/netloop"
	"github.com/magpie-bridge/magpie/internal/session"
)

// The Autobahn test suite is a client that knows every corner of RFC 6455 and RFC 7692. `make autobahn` installs it, and
// tells this test by the environment where it is and where its reports go. The servers are what production runs, from
// the handshake to the socket, except that a message is answered with itself and not passed to the session.
const (
	autobahnCommand = "AUTOBAHN_WSTEST"
	autobahnReports = "AUTOBAHN_REPORTS"
	autobahnQuick   = "AUTOBAHN_QUICK" // not empty: without the long cases of compression
)

// autobahnServer is one of the servers, and what came of it.
type autobahnServer struct {
	driver   netloop.Driver
	deflate  bool
	rig      *rig
	took     time.Duration
	verdicts map[string]autobahnVerdict // by the number of the case
}

// autobahnVerdict is what the suite says of a case: of what was exchanged, and of how the line ended.
type autobahnVerdict struct {
	Behavior      string `json:"behavior"`
	BehaviorClose string `json:"behaviorClose"`
	ReportFile    string `json:"reportfile"`
}

func (s *autobahnServer) name() string {
	if s.deflate {
		return string(s.driver) + "-deflate"
	}
	return string(s.driver)
}

func TestAutobahn(t *testing.T) {
	var servers []*autobahnServer
	for _, driver := range []netloop.Driver{netloop.DriverEpoll, netloop.DriverGoroutine} {
		for _, deflate := range []bool{false, true} {
			servers = append(servers, &autobahnServer{driver: driver, deflate: deflate, rig: newRig(t, rigOptions{
				driver:      driver,
				compression: deflate,
				echo:        true,
				settings:    session.Settings{MaxFrameBytes: 32 << 20, ConnectTimeout: time.Hour},
			})})
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2) // each run is one busy process, and what it measures must not time out
	for _, s := range servers {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := s.run(t); err != nil {
				t.Errorf("%s: %v", s.name(), err)
			}
		})
	}
	wg.Wait()
	t.Logf("reports: %s\n%s", os.Getenv(autobahnReports), autobahnTable(t, servers))
}

// autobahnCases are the sections of the suite: framing, pings and pongs, reserved bits, opcodes, fragments, UTF-8, closing,
// limits, fragments made by the suite, and compression in its default and with the parameters of an offer.
var autobahnCases = []string{"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*", "13.*"}

// autobahnCount is how many cases those are in the version of the suite that is pinned.
const autobahnCount = 517

// longCases are the cases that send a thousand compressed messages each of 16 KiB or more, or in many fragments. Nearly
// all of their time is the suite's own.
func longCases() (numbers []string) {
	for _, section := range []string{"12.1", "12.2", "12.3", "12.4", "12.5", "13.1", "13.2", "13.3", "13.4", "13.5", "13.6", "13.7"} {
		for _, size := range []int{7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18} {
			numbers = append(numbers, fmt.Sprintf("%s.%d", section, size))
		}
	}
	return numbers
}

// run lets the suite go at the server.
func (s *autobahnServer) run(t *testing.T) error {
	folder := filepath.Join(os.Getenv(autobahnReports), s.name())
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	excluded := []string{}
	if os.Getenv(autobahnQuick) != "" {
		excluded = longCases()
	}
	spec, err := json.Marshal(map[string]any{
		"outdir":              folder,
		"servers":             []any{map[string]any{"agent": s.name(), "url": "ws://" + s.rig.address() + "/any"}},
		"cases":               autobahnCases,
		"exclude-cases":       excluded,
		"exclude-agent-cases": map[string]any{},
	})
	if err != nil {
		return err
	}
	specFile := filepath.Join(folder, "spec.json")
	if err := os.WriteFile(specFile, spec, 0o600); err != nil {
		return err
	}
	start := time.Now()
	output, err := exec.CommandContext(t.Context(), os.Getenv(autobahnCommand), "--mode", "fuzzingclient", "--spec", specFile).CombinedOutput()
	s.took = time.Since(start)
	if err != nil {
		return fmt.Errorf("the test suite failed: %w\n%s", err, output)
	}
	index, err := os.ReadFile(filepath.Join(folder, "index.json"))
	if err != nil {
		return fmt.Errorf("the test suite left no report: %w\n%s", err, output)
	}
	var byServer map[string]map[string]autobahnVerdict
	if err := json.Unmarshal(index, &byServer); err != nil {
		return err
	}
	s.verdicts = byServer[s.name()]
	if want := autobahnCount - len(excluded); len(s.verdicts) != want {
		return fmt.Errorf("%d cases were run, want %d", len(s.verdicts), want)
	}
	return nil
}

// kind sorts the verdict on a case: ok, informational, unimplemented, or other.
func (s *autobahnServer) kind(number string, v autobahnVerdict) string {
	section, _, _ := strings.Cut(number, ".")
	compression := section == "12" || section == "13"
	switch {
	case v.BehaviorClose != "OK" && v.BehaviorClose != "INFORMATIONAL":
	case v.Behavior == "OK" && (!compression || s.deflate):
		return "ok"
	case v.Behavior == "INFORMATIONAL" && slices.Contains(autobahnInformational, number):
		return "informational"
	case v.Behavior == "UNIMPLEMENTED" && compression && (!s.deflate || autobahnDeclined(number)):
		return "unimplemented"
	}
	return "other"
}

// autobahnInformational are the cases of which the suite says itself that RFC 6455 leaves the behaviour open: data behind
// a close frame, and close codes from 5000.
var autobahnInformational = []string{"7.1.6", "7.13.1", "7.13.2"}

// autobahnDeclined tells the cases that offer compression only with a window of 512 bytes on the server's side: such
// offers are declined, since a compressed frame is shared by all.
func autobahnDeclined(number string) bool {
	return strings.HasPrefix(number, "13.3.") || strings.HasPrefix(number, "13.5.")
}

// autobahnTable counts the verdicts, and fails the test for each that is not as it should be.
func autobahnTable(t *testing.T, servers []*autobahnServer) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "driver\tdeflate\tcases\tok\tinformational\tunimplemented\tother\ttime\t")
	for _, s := range servers {
		counts := make(map[string]int)
		for _, number := range slices.SortedFunc(maps.Keys(s.verdicts), compareCases) {
			v := s.verdicts[number]
			kind := s.kind(number, v)
			counts[kind]++
			if kind == "other" {
				t.Errorf("%s: case %s: %s, closed %s (%s)", s.name(), number, v.Behavior, v.BehaviorClose, filepath.Join(s.name(), v.ReportFile))
			}
		}
		fmt.Fprintf(w, "%s\t%v\t%d\t%d\t%d\t%d\t%d\t%v\t\n", s.driver, s.deflate, len(s.verdicts),
			counts["ok"], counts["informational"], counts["unimplemented"], counts["other"], s.took.Round(time.Second))
	}
	_ = w.Flush()
	return b.String()
}

// compareCases orders numbers like 6.22.3.
func compareCases(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}
