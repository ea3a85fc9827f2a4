package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os/exec"
	"time"
)

// storm drops all clients at once; the load tool has them come back and recover, and checks every message.
func storm(b *bench) (report, error) {
	clients := pick(b, 2000, 15_000)
	g, err := b.newGateway("storm", "durability: written\n")
	if err != nil {
		return report{}, err
	}
	if err := g.start(); err != nil {
		return report{}, err
	}
	defer g.kill()
	ctx, cancel := context.WithTimeout(b.ctx, 5*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, b.binary, "bench", "storm", "--connections", fmt.Sprint(clients),
		"--url", g.url(), "--pid", fmt.Sprint(g.cmd.Process.Pid), "--duration", "8s", "--json").Output()
	if err != nil {
		return report{}, fmt.Errorf("bench storm: %w\n%s", err, out)
	}
	var result struct {
		Stages []struct {
			Operations int
			Latency    struct{ P50Us, P99Us float64 }
		}
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return report{}, err
	}
	stage := &result.Stages[0]
	if stage.Operations < clients {
		return report{}, fmt.Errorf("of %d clients only %d came back", clients, stage.Operations)
	}
	millis := func(us float64) string { return time.Duration(us * 1000).Round(time.Millisecond).String() }
	return report{Figures: map[string]string{
		"clients": fmt.Sprint(clients), "memory": fmt.Sprintf("%d MiB", g.memory()>>20),
		"back p50": millis(stage.Latency.P50Us), "p99": millis(stage.Latency.P99Us),
	}}, nil
}

// slow has one client that never reads and one that reads a kilobyte a second among others, at full rate: the gateway's
// memory and the kernel's stay where they are, and the others get everything.
func slow(b *bench) (report, error) {
	g, err := b.newGateway("slow", "durability: memory\nnamespaces:\n"+
		"  - {name: small, pattern: fault.*, retention: {messages: 5000, bytes: 1MiB, age: 1h}}\n")
	if err != nil {
		return report{}, err
	}
	if err := g.start(); err != nil {
		return report{}, err
	}
	defer g.kill()
	l := b.startOf(g.url(), size{channels: 1, publishers: 2, subscribers: pick(b, 50, 1000)})
	if err := l.progress(pick(b, 20_000, 8_000)); err != nil { // the retention is full from here on
		return report{}, err
	}
	process, kernel := g.memory(), kernelMemory()
	var most, mostKernel int64
	figures := map[string]string{}
	for range pick(b, 1, 5) {
		for _, with := range []bool{true, false} {
			p, k, p99, err := withLazy(b, g, l, with)
			if err != nil {
				return report{}, err
			}
			most, mostKernel = max(most, p), max(mostKernel, k)
			figures[fmt.Sprintf("p99 with slow ones %t", with)] += p99 + " "
		}
	}
	r, err := l.finish()
	if err != nil {
		return r, err
	}
	const slack = 64 << 20
	kernelSlack := int64(64<<20 + len(l.subscribers)*256<<10) // also of the readers, who share the processor with all else
	if most > process+slack {
		r.Faults = append(r.Faults, fmt.Sprintf("memory went from %d to %d MiB", process>>20, most>>20))
	}
	if mostKernel > kernel+kernelSlack {
		r.Faults = append(r.Faults, fmt.Sprintf("the kernel's memory went from %d to %d MiB", kernel>>20, mostKernel>>20))
	}
	maps.Copy(r.Figures, figures)
	r.Figures["memory"] = fmt.Sprintf("%d MiB, at most %d", process>>20, most>>20)
	r.Figures["kernel"] = fmt.Sprintf("%d KiB, at most %d", kernel>>10, mostKernel>>10)
	return r, nil
}

// withLazy measures for a while, with or without slow clients.
func withLazy(b *bench, g *gateway, l *load, with bool) (process, kernel int64, p99 string, err error) {
	if with {
		for _, rate := range []int{0, 1024} {
			c, err := lazy(b, g, rate)
			if err != nil {
				return 0, 0, "", err
			}
			defer c.Close()
		}
	}
	l.check.times(true)
	for end := time.Now().Add(pick(b, 4*time.Second, 12*time.Second)); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		process, kernel = max(process, g.memory()), max(kernel, kernelMemory())
	}
	return process, kernel, quantile(l.check.times(false), 0.99), nil
}

// lazy is a client that subscribes and then reads so many bytes a second.
func lazy(b *bench, g *gateway, rate int) (net.Conn, error) {
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		return nil, err
	}
	key := "GET /ws HTTP/1.1\r\nHost: " + g.address + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	text := `{"type":"subscribe","channel":"fault.0","from":{"offset":0}}`
	masked := append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
	if _, err := conn.Write(append([]byte(key), masked...)); err != nil {
		return nil, err
	}
	if rate > 0 {
		go func() {
			buf := make([]byte, rate)
			for b.ctx.Err() == nil {
				if _, err := conn.Read(buf); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
	}
	return conn, nil
}
