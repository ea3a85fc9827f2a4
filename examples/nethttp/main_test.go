package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// watch opens a line of a page, which has subscribed to the changes.
func watch(t *testing.T, service *exampletest.Program, cookie *http.Cookie) *exampletest.Line {
	t.Helper()
	line := service.Dial(t, cookie, "/live/ws")
	line.Send(`{"type":"subscribe","requestId":"changes","channel":"stock.changes"}`)
	if got := line.Answer("changes"); got.Type != "subscribed" {
		t.Fatalf("got %+v, want to be subscribed", got)
	}
	return line
}

func TestChangesReachThePages(t *testing.T) {
	service := exampletest.Start(t)
	alice := service.SignIn(t, "alice")
	page := watch(t, service, service.SignIn(t, "bob"))

	if got := service.Do(t, alice, "PUT", "/items/nail", `{"name":"Nail","count":1000}`); got.Status != http.StatusOK {
		t.Fatalf("PUT: %d %s", got.Status, got.Body)
	}
	const want = `{"version":1,"id":"nail","item":{"id":"nail","name":"Nail","count":1000},"by":"alice"}`
	if got := page.Await("message"); string(got.Data) != want {
		t.Errorf("the page was told %s, want %s", got.Data, want)
	}
	got := service.Do(t, alice, "GET", "/items", "")
	if !strings.HasPrefix(got.Body, `{"version":1,`) || !strings.Contains(got.Body, `{"id":"nail","name":"Nail","count":1000}`) {
		t.Errorf("the inventory is %s", got.Body)
	}

	page.Send(`{"type":"publish","requestId":"forged","channel":"stock.changes","data":{"version":2,"id":"nail"}}`)
	if got := page.Answer("forged"); got.Error.Code != "permission_denied" {
		t.Errorf("got %+v, want that the service alone tells of changes", got)
	}
}

func TestRequestsAreChecked(t *testing.T) {
	service := exampletest.Start(t)
	alice := service.SignIn(t, "alice")
	for _, test := range []struct {
		about              string
		cookie             *http.Cookie
		method, path, body string
		want               int
	}{
		{"not signed in", nil, "GET", "/items", "", http.StatusUnauthorized},
		{"not signed in", nil, "DELETE", "/items/rope", "", http.StatusUnauthorized},
		{"no JSON", alice, "PUT", "/items/rope", "rope", http.StatusBadRequest},
		{"no name", alice, "PUT", "/items/rope", `{"count":1}`, http.StatusBadRequest},
		{"a bad id", alice, "PUT", "/items/a%20b", `{"name":"a","count":1}`, http.StatusBadRequest},
		{"no such item", alice, "DELETE", "/items/unicorn", "", http.StatusNotFound},
		{"a bad name", nil, "POST", "/login", `{"name":"<b>"}`, http.StatusBadRequest},
		{"the page", nil, "GET", "/", "", http.StatusOK},
		{"its script", nil, "GET", "/stock.js", "", http.StatusOK},
	} {
		if got := service.Do(t, test.cookie, test.method, test.path, test.body); got.Status != test.want {
			t.Errorf("%s: %s %s: status %d (%s), want %d", test.about, test.method, test.path, got.Status, got.Body, test.want)
		}
	}
}

func TestThePageCallsTheService(t *testing.T) {
	service := exampletest.Start(t)
	alice := service.Dial(t, service.SignIn(t, "alice"), "/live/ws")
	bob := watch(t, service, service.SignIn(t, "bob"))

	alice.Send(`{"type":"call","requestId":"1","method":"stock.take","data":{"id":"rope","count":3}}`)
	if got := alice.Answer("1"); got.Type != "reply" || string(got.Data) != `{"id":"rope","name":"Rope, 20 m","count":4}` {
		t.Errorf("got %+v, want what is left", got)
	}
	if got := bob.Await("message"); !strings.Contains(string(got.Data), `"count":4`) || !strings.Contains(string(got.Data), `"by":"alice"`) {
		t.Errorf("bob was told %s", got.Data)
	}
	for id, test := range map[string]struct{ argument, want string }{
		"too many": {`{"id":"rope","count":5}`, "failed_precondition"},
		"none":     {`{"id":"rope","count":0}`, "invalid_argument"},
		"unknown":  {`{"id":"unicorn","count":1}`, "not_found"},
		"no JSON":  {`[]`, "invalid_argument"},
	} {
		alice.Send(`{"type":"call","requestId":%q,"method":"stock.take","data":%s}`, id, test.argument)
		if got := alice.Answer(id); got.Error.Code != test.want {
			t.Errorf("%s: got %+v, want %s", id, got, test.want)
		}
	}
	alice.Send(`{"type":"call","requestId":"2","method":"shop.close"}`)
	if got := alice.Answer("2"); got.Error.Code != "permission_denied" {
		t.Errorf("got %+v, want no right to call it", got)
	}
}
