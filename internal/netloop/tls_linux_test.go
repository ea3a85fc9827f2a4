package netloop

import (
	"crypto/tls"
	"io"
	"runtime"
	"testing"
)

// secureRig is a group of one epoll loop whose connections speak TLS.
func secureRig(t *testing.T) *rig {
	t.Helper()
	leavesNothingBehind(t)
	g := &rig{Group: startGroup(t, Options{Loops: 1, Driver: DriverEpoll})}
	g.secure(t)
	return g
}

func TestTLSLineHasNoGoroutine(t *testing.T) {
	g := secureRig(t)
	const lines = 50
	before := runtime.NumGoroutine()
	for range lines {
		server, client := g.pair(t)
		echo().adopt(t, g, server, "")
		roundTrip(t, client, "hello")
	}
	if !poll(func() bool { return runtime.NumGoroutine() <= before }) {
		t.Errorf("%d goroutines for %d lines, with %d before", runtime.NumGoroutine(), lines, before)
	}
}

func TestOlderTLS(t *testing.T) {
	g := secureRig(t)
	g.client.MaxVersion = tls.VersionTLS12
	server, client := g.pair(t)
	s := echo().adopt(t, g, server, "")
	for _, text := range []string{"a", string(pattern(3 * readBytes))} {
		roundTrip(t, client, text)
	}
	_ = client.Close()
	s.endsWith(t, io.EOF)
}

// What Write has taken and the kernel has not is written when the peer has ended its own side, and is still waiting.
func TestLastRecordOfASlowReader(t *testing.T) {
	g := secureRig(t)
	server, client := g.pair(t)
	s := newScript().adopt(t, g, server, "")
	want := pattern(8 << 20)
	taken := 0
	onLoop(t, s.loop, func() {
		for n := 1; n > 0; taken += n {
			n, _ = s.Write(want[taken:])
		}
	})
	if taken == len(want) {
		t.Fatal("everything found room")
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	s.endsWith(t, io.EOF)
	got, err := io.ReadAll(client)
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, got, want[:taken])
}
