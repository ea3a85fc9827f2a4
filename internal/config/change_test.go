package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var before = `
listen: 127.0.0.1:8080
origins: [https://a.example.com]
auth:
  api_keys:
  - {name: shop, sha256: "` + hashA + `", publish: [order.*]}
limits: {connections: 10, frame_bytes: 8KiB}
namespaces:
- {name: room, pattern: room.*, ttl: 1m}
- {name: order, pattern: order.*}
- {name: old, pattern: old.*}
`

var after = `
listen: 127.0.0.1:9090
origins: [https://a.example.com, https://b.example.com]
auth:
  api_keys:
  - {name: shop, sha256: "` + hashB + `", publish: [order.*, price.*]}
limits: {connections: 20, frame_bytes: 16KiB}
log: {level: debug}
namespaces:
- {name: order, pattern: order.*, subscribe: everybody, retention: {age: 36h}}
- {name: room, pattern: room.*, ttl: 90s}
- {name: new, pattern: new.*}
`

var (
	hashA = strings.Repeat("ab", 32)
	hashB = strings.Repeat("cd", 32)
)

func TestChangesAreNamed(t *testing.T) {
	old, next := parsed(t, before), parsed(t, after)
	now, changes, err := old.Succeed(next)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprintf("%s: %s -> %s, %t", c.Key, c.Before, c.After, c.Live))
	}
	want := []string{
		"listen: 127.0.0.1:8080 -> 127.0.0.1:9090, false",
		"log.level: info -> debug, true",
		"auth.api_keys[shop].sha256: REDACTED -> REDACTED, true",
		"auth.api_keys[shop].publish: [order.*] -> [order.*, price.*], true",
		"origins: [https://a.example.com] -> [https://a.example.com, https://b.example.com], true",
		"limits.frame_bytes: 8KiB -> 16KiB, false",
		"limits.connections: 10 -> 20, true",
		"namespaces[room].ttl: 1m -> 1m30s, true",
		"namespaces[order].retention.age: 10m -> 36h, true",
		"namespaces[order].subscribe: none -> everybody, true",
		"namespaces[old]: present -> , true",
		"namespaces[new]:  -> present, true",
		"namespaces: [room, order, logs] -> [order, room, logs], true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if now.Listen != old.Listen || now.Limits.FrameBytes != old.Limits.FrameBytes || now.Limits.Connections != 20 {
		t.Errorf("in use: %s", now)
	}
}

// TestWhatIsLiveIsTakenUp changes each setting alone: afterwards it is in use where it is said to be, and not where not.
func TestWhatIsLiveIsTakenUp(t *testing.T) {
	old := Default()
	old.Authenticated = true
	next := Default()
	next.Authenticated = true
	touch(reflect.ValueOf(next).Elem())
	next.Namespaces, next.Retention, next.MaxLag, next.SlowConsumer = nil, Retention{7, MiB, 1}, 5, SlowLatest
	next.Limits.OutboxBytes, next.Limits.FrameBytes = old.Limits.OutboxBytes, old.Limits.FrameBytes
	now, changes, err := old.Succeed(next)
	if err != nil {
		t.Fatal(err)
	}
	left := make(map[string]bool)
	for _, c := range now.changes(next) {
		left[c.Key] = true
	}
	if len(changes) < 30 {
		t.Errorf("only %d settings differ", len(changes))
	}
	for _, c := range changes {
		if left[c.Key] == c.Live {
			t.Errorf("%s is said to be live: %t, and it is in use: %t", c.Key, c.Live, !left[c.Key])
		}
	}
}

// touch makes every setting another one.
func touch(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case !f.CanSet():
		case f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[Secret]():
			touch(f)
		case f.Kind() == reflect.Int || f.Kind() == reflect.Int64:
			f.SetInt(f.Int() + 1)
		case f.Type() == reflect.TypeFor[[]string]():
			f.Set(reflect.ValueOf([]string{"x"}))
		case f.Kind() == reflect.Bool && v.Type().Field(i).Name != "Development":
			f.SetBool(!f.Bool())
		}
	}
}

func TestSettingsThatNeedARestartTogether(t *testing.T) {
	old := parsed(t, withAuth("limits: {frame_bytes: 8KiB}"))
	next := parsed(t, withAuth("limits: {frame_bytes: 64KiB}\nnamespaces:\n- {name: n, pattern: n, max_message: 32KiB}"))
	if _, _, err := old.Succeed(next); err == nil || !strings.Contains(err.Error(), "max_message") {
		t.Errorf("got %v, want max_message to be refused until limits.frame_bytes is in use", err)
	}
}

func TestReloadKeepsWhatTheMachineGave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "magpie.yaml")
	write(t, path, withAuth(""))
	running, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	running.Loops++ // as another GOMAXPROCS would
	again, err := Reload(path, running)
	if err != nil {
		t.Fatal(err)
	}
	if changes := running.changes(again); len(changes) != 0 {
		t.Errorf("nothing has changed, but: %+v", changes)
	}
}
