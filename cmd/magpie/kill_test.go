package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestKilledGatewayKeepsWhatItAcknowledged kills a gateway again and again while publishers publish: every message that
// was acknowledged stands where its publisher was told, once, after all of it.
func TestKilledGatewayKeepsWhatItAcknowledged(t *testing.T) {
	const rounds, publishers, enough = 6, 4, 25
	dir := t.TempDir()
	flags := []string{"--dev", "--listen", "127.0.0.1:0", "--logs", filepath.Join(dir, "nothing.log"), "--data", filepath.Join(dir, "data")}
	var told sync.Map // from the offset to the message's id
	for round := range rounds {
		p, url := serving(t, flags...)
		var all sync.WaitGroup
		acknowledged := make(chan struct{}, 1)
		for i := range publishers {
			all.Go(func() {
				for n := 0; publishUntilKilled(t, url, fmt.Sprint(round, ".", i, ".", n), &told); n++ {
					if n == enough {
						select {
						case acknowledged <- struct{}{}:
						default:
						}
					}
				}
			})
		}
		<-acknowledged // and the others are in the middle of it
		p.kill()
		all.Wait()
	}
	_, url := serving(t, flags...)
	var last publishedLine
	if err := publishOne(url, "last", &last); err != nil {
		t.Fatal(err)
	}
	out := succeed(t, nil, "sub", "order.update", "--from", "0", "--count", strconv.Itoa(last.Position.Offset), "--json", "--url", url)
	places := map[string]int{}
	for i, line := range lines(out) {
		var m messageLine
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if earlier, twice := places[m.MessageID]; twice {
			t.Errorf("message %s stands at %d and at %d", m.MessageID, earlier, i+1)
		}
		places[m.MessageID] = i + 1
	}
	count := 0
	told.Range(func(offset, id any) bool {
		count++
		if places[id.(string)] != offset.(int) {
			t.Errorf("message %s was acknowledged at %d, and stands at %d", id, offset, places[id.(string)])
		}
		return true
	})
	if count < rounds*enough {
		t.Errorf("only %d messages were acknowledged", count)
	}
}

// publishedLine is the answer to a publish over HTTP.
type publishedLine struct {
	Position struct {
		Offset int `json:"offset"`
	} `json:"position"`
}

// publishUntilKilled publishes one message and notes where it stands; false when the gateway is gone.
func publishUntilKilled(t *testing.T, url, id string, told *sync.Map) bool {
	t.Helper()
	var answer publishedLine
	if publishOne(url, id, &answer) != nil {
		return false
	}
	if other, taken := told.LoadOrStore(answer.Position.Offset, id); taken {
		t.Errorf("offset %d was given to %s and to %s", answer.Position.Offset, other, id)
	}
	return true
}

func publishOne(url, id string, answer *publishedLine) error {
	url = strings.Replace(strings.TrimSuffix(url, "/ws"), "ws://", "http://", 1)
	body := strings.NewReader(`{"channel":"order.update","messageId":"` + id + `","data":1}`)
	res, err := http.Post(url+"/magpie.v1.GatewayService/Publish", "application/json", body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("publish: %s", res.Status)
	}
	return json.NewDecoder(res.Body).Decode(answer)
}
