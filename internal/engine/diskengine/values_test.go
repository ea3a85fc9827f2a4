package diskengine_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
)

// TestManyValues sets, removes and lists values, over a crash.
func TestManyValues(t *testing.T) {
	d := newDisk()
	e := d.Open(t).(*diskengine.Engine)
	values := map[string][]byte{"others": []byte("x"), "session": []byte("x"), "sessions": []byte("x")}
	for i := range 9 {
		values[fmt.Sprint("session/", i)] = fmt.Append(nil, i)
	}
	if err := e.SetValues(values); err != nil {
		t.Fatal(err)
	}
	if err := e.SetValues(map[string][]byte{"session/3": nil, "session/4": []byte("new"), "session/missing": nil}); err != nil {
		t.Fatal(err)
	}
	d.Crash(t)
	e = d.Open(t).(*diskengine.Engine)
	defer end(t, e)
	for _, test := range []struct {
		after string
		most  int
		want  []string
	}{
		{"session/", 3, []string{"session/0=0", "session/1=1", "session/2=2"}},
		{"session/2", 2, []string{"session/4=new", "session/5=5"}},
		{"session/5", 100, []string{"session/6=6", "session/7=7", "session/8=8"}},
		{"session/8", 100, nil},
		{"", 1, []string{"session/0=0"}},
	} {
		var got []string
		err := e.ValuesAfter("session/", test.after, test.most, func(key string, value []byte) {
			got = append(got, key+"="+string(value))
		})
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%d after %q: %q, %v; want %q", test.most, test.after, got, err, test.want)
		}
	}
	if value, err := e.Value("session/3"); value != nil || err != nil {
		t.Errorf("a value that was removed: %q, %v", value, err)
	}
}
