package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/examples/internal/exampletest"
)

// throwAway asks for an item to be thrown away; what came of it can be read from the channel.
func throwAway(t *testing.T, service *exampletest.Program, cookie *http.Cookie, id string) <-chan exampletest.Answer {
	t.Helper()
	answered := make(chan exampletest.Answer, 1)
	go func() {
		defer close(answered) // also when the request fails the test
		answered <- service.Do(t, cookie, "DELETE", "/items/"+id, "")
	}()
	return answered
}

func TestTheUserIsAskedBack(t *testing.T) {
	service := exampletest.Start(t)
	alice := service.SignIn(t, "alice")
	desk, phone := watch(t, service, alice), watch(t, service, alice)
	bob := watch(t, service, service.SignIn(t, "bob"))

	answered := throwAway(t, service, alice, "rope")
	asked, also := desk.Await("call"), phone.Await("call")
	if asked.Method != "ui.confirm" || string(asked.Data) != `{"question":"Throw away 7 × Rope, 20 m?","yes":"Throw away"}` {
		t.Errorf("alice was asked %s %s", asked.Method, asked.Data)
	}
	phone.Send(`{"type":"reply","requestId":%q,"data":true}`, also.RequestID)
	if got := <-answered; got.Status != http.StatusNoContent {
		t.Errorf("after a yes: %d %s", got.Status, got.Body)
	}
	if got := desk.Await("cancel"); got.RequestID != asked.RequestID {
		t.Errorf("got %+v, want the question taken back from the desk", got)
	}
	if got := bob.Await("message"); !strings.Contains(string(got.Data), `"id":"rope","item":null,"by":"alice"`) {
		t.Errorf("bob was told %s", got.Data)
	}
	bob.Nothing("call")
}

func TestNothingIsThrownAwayWithoutAYes(t *testing.T) {
	service := exampletest.Start(t, "-patience", "300ms")
	alice := service.SignIn(t, "alice")
	refused := func(about string, want int, got exampletest.Answer) {
		t.Helper()
		if got.Status != want {
			t.Errorf("%s: %d %s, want %d", about, got.Status, got.Body, want)
		}
		if items := service.Do(t, alice, "GET", "/items", ""); !strings.Contains(items.Body, `"lantern"`) {
			t.Fatalf("%s: it was thrown away", about)
		}
	}
	refused("no page is open", http.StatusConflict, <-throwAway(t, service, alice, "lantern"))

	page := watch(t, service, alice)
	answered := throwAway(t, service, alice, "lantern")
	page.Send(`{"type":"reply","requestId":%q,"data":false}`, page.Await("call").RequestID)
	refused("a no", http.StatusConflict, <-answered)

	answered = throwAway(t, service, alice, "lantern")
	page.Send(`{"type":"error","requestId":%q,"error":{"code":"unimplemented","message":"an old page"}}`, page.Await("call").RequestID)
	refused("a page that knows no such question", http.StatusConflict, <-answered)

	answered = throwAway(t, service, alice, "lantern")
	question := page.Await("call").RequestID
	refused("silence", http.StatusGatewayTimeout, <-answered)
	if got := page.Await("cancel"); got.RequestID != question {
		t.Errorf("got %+v, want the question taken back", got)
	}

	answered = throwAway(t, service, alice, "lantern")
	question = page.Await("call").RequestID
	page.Send(`{"type":"call","requestId":"take","method":"stock.take","data":{"id":"lantern","count":1}}`)
	if got := page.Answer("take"); got.Type != "reply" {
		t.Errorf("got %+v, want one taken while the question stands", got)
	}
	page.Send(`{"type":"reply","requestId":%q,"data":true}`, question)
	refused("a yes to what has changed since", http.StatusConflict, <-answered)

	answered = throwAway(t, service, alice, "lantern")
	page.Await("call")
	page.Cut()
	refused("the page went away", http.StatusServiceUnavailable, <-answered)
}
