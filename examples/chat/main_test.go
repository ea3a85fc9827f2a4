package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestPeopleTalkInRooms(t *testing.T) {
	chat := exampletest.Start(t)
	alice := chat.Dial(t, chat.SignIn(t, "alice"), "/ws")
	bob := chat.Dial(t, chat.SignIn(t, "小明"), "/ws")
	bob.Send(`{"type":"subscribe","requestId":"1","channel":"room.lobby"}`)
	bob.Send(`{"type":"subscribe","requestId":"2","channel":"room.kitchen"}`)
	for _, id := range []string{"1", "2"} {
		if got := bob.Answer(id); got.Type != "subscribed" {
			t.Fatalf("got %+v, want to be subscribed", got)
		}
	}

	const said = `<script>alert("it is carried as it is, and shown as text")</script>`
	alice.Send(`{"type":"publish","requestId":"1","channel":"room.kitchen","messageId":"m1","publisher":"mallory","text":%q}`, said)
	if got := alice.Answer("1"); got.Type != "published" {
		t.Fatalf("got %+v, want the position of what was said", got)
	}
	if got := bob.Await("message"); got.Publisher != "alice" || got.Channel != "room.kitchen" || got.Text != said {
		t.Errorf("got %+v, want what alice said in the kitchen, in her own name", got)
	}

	alice.Send(`{"type":"publish","requestId":"2","channel":"news.today","text":"elsewhere"}`)
	if got := alice.Answer("2"); got.Error.Code != "permission_denied" {
		t.Errorf("got %+v, want that a person speaks in rooms alone", got)
	}
}

func TestWhatWasMissedComesAfterAReconnect(t *testing.T) {
	chat := exampletest.Start(t)
	alice := chat.Dial(t, chat.SignIn(t, "alice"), "/ws")
	cookie := chat.SignIn(t, "bob")
	bob := chat.Dial(t, cookie, "/ws")
	bob.Send(`{"type":"subscribe","requestId":"lobby","channel":"room.lobby","from":{"last":50}}`)
	position := bob.Answer("lobby").Position
	say := func(id string) {
		alice.Send(`{"type":"publish","requestId":%q,"channel":"room.lobby","messageId":%q,"text":%q}`, id, id, "text of "+id)
		if got := alice.Answer(id); got.Type != "published" {
			t.Fatalf("got %+v, want the position of %s", got, id)
		}
	}
	say("m1")
	position.Offset = bob.Await("message").Offset

	bob.Cut()
	for i := range 3 {
		say(fmt.Sprintf("m%d", i+2))
	}
	bob = chat.Dial(t, cookie, "/ws")
	bob.Send(`{"type":"subscribe","requestId":"lobby","channel":"room.lobby","from":{"epoch":%q,"offset":%d}}`, position.Epoch, position.Offset)
	if got := bob.Answer("lobby"); !got.Recovered {
		t.Errorf("got %+v, want nothing lost", got)
	}
	for _, want := range []string{"text of m2", "text of m3", "text of m4"} {
		if got := bob.Await("message"); got.Text != want {
			t.Errorf("got %+v, want %q", got, want)
		}
	}

	// What alice did not know to have arrived she says again under its id: it stands there once.
	alice.Send(`{"type":"publish","requestId":"again","channel":"room.lobby","messageId":"m4","text":"text of m4"}`)
	if got := alice.Answer("again"); !got.Duplicate {
		t.Errorf("got %+v, want it recognised", got)
	}
	bob.Nothing("message")
}

func TestANameBelongsToOneBrowser(t *testing.T) {
	chat := exampletest.Start(t)
	alice := chat.SignIn(t, "alice")
	for _, test := range []struct {
		about  string
		cookie *http.Cookie
		name   string
		want   int
	}{
		{"of somebody else", nil, "alice", http.StatusConflict},
		{"of somebody else, in other letters", nil, "Alice", http.StatusConflict},
		{"one's own", alice, "Alice", http.StatusOK},
		{"none", nil, "", http.StatusBadRequest},
		{"HTML", nil, "<b>", http.StatusBadRequest},
		{"a right-to-left override", nil, "ali\u202ece", http.StatusBadRequest},
		{"too long", nil, strings.Repeat("a", 25), http.StatusBadRequest},
	} {
		if got := chat.Do(t, test.cookie, "POST", "/login", `{"name":"`+test.name+`"}`); got.Status != test.want {
			t.Errorf("a name %s: status %d (%s), want %d", test.about, got.Status, got.Body, test.want)
		}
	}
	if got := chat.Do(t, alice, "GET", "/login", ""); got.Status != http.StatusOK || !strings.Contains(got.Body, "alice") {
		t.Errorf("got %d %s, want alice", got.Status, got.Body)
	}
	if got := chat.Do(t, alice, "DELETE", "/login", ""); got.Status != http.StatusNoContent {
		t.Errorf("signing out: status %d", got.Status)
	}
	chat.SignIn(t, "ALICE")
}

func TestOnlyThoseWhoSignedInGetIn(t *testing.T) {
	chat := exampletest.Start(t)
	forged := chat.SignIn(t, "alice")
	forged.Value = forged.Value[:len(forged.Value)-4] + "AAAA"
	if got := chat.DialStatus(t, forged, "/ws"); got != http.StatusUnauthorized {
		t.Errorf("a line with a forged token: status %d, want 401", got)
	}
	if got := chat.Do(t, forged, "GET", "/login", ""); got.Status != http.StatusNoContent {
		t.Errorf("with a forged token: is %s", got.Body)
	}
	nobody := chat.Dial(t, nil, "/ws") // could still say in connect who it is
	nobody.Send(`{"type":"subscribe","requestId":"1","channel":"room.lobby"}`)
	if got := nobody.Answer("1"); got.Error.Code != "unauthenticated" {
		t.Errorf("got %+v, want that nobody hears what is said", got)
	}
}

// The page shows what people wrote as text, and would not run it if it did not.
func TestPageIsInert(t *testing.T) {
	chat := exampletest.Start(t)
	page := chat.Do(t, nil, "GET", "/", "")
	if got := page.Header.Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'self';") || strings.Contains(got, "unsafe") {
		t.Errorf("the policy of the page is %q", got)
	}
	if strings.Contains(page.Body, "<script>") || strings.Contains(page.Body, " onclick=") {
		t.Error("the page has a script that the policy forbids")
	}
	for _, script := range []string{"/chat.js", "/line.js"} {
		got := chat.Do(t, nil, "GET", script, "")
		if got.Status != http.StatusOK {
			t.Errorf("%s: status %d", script, got.Status)
		}
		for _, unsafe := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("} {
			if strings.Contains(got.Body, unsafe) {
				t.Errorf("%s has %s", script, unsafe)
			}
		}
	}
}

func TestNamesComeFreeWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(strings.Repeat("s", 32))
		take := func(name string) error { return l.take(name, "", time.Now().Add(tokenLife)) }
		for i := range maxNames {
			if err := take(fmt.Sprintf("n%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := take("late"); !errors.Is(err, errFull) {
			t.Errorf("got %v, want %v", err, errFull)
		}
		if err := take("n1"); !errors.Is(err, errTaken) {
			t.Errorf("got %v, want %v", err, errTaken)
		}
		time.Sleep(tokenLife + time.Second)
		if err := take("n1"); err != nil {
			t.Error(err)
		}
		if err := take("late"); err != nil {
			t.Error(err)
		}
		if len(l.taken) != 2 {
			t.Errorf("%d names are taken, want 2", len(l.taken))
		}
	})
}
