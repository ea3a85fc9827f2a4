package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/auth"
)

// toolTime is how long a command may take: grpcurl has to be compiled first.
const toolTime = 8 * time.Minute

// program runs a command from the root of the module, and gives what it prints.
func program(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// curl calls a method of the server API as people do.
func (r *running) curl(t *testing.T, token, method, body string) (status, answer string) {
	t.Helper()
	out, err := program(t, "curl", "--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}",
		"--header", "Content-Type: application/json", "--header", "Authorization: Bearer "+token,
		"--data", body, r.url("/magpie.v1.GatewayService/"+method))
	if err != nil {
		t.Fatalf("curl: %v: %s", err, out)
	}
	end := strings.LastIndexByte(out, '\n')
	return out[end+1:], out[:end]
}

// tell is curl where anything but an answer is a failure.
func (r *running) tell(t *testing.T, token, method, body string) map[string]any {
	t.Helper()
	status, text := r.curl(t, token, method, body)
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != "200" {
		t.Fatalf("%s %s: status %s, %s", method, body, status, text)
	}
	return answer
}

func operator(t *testing.T) string {
	t.Helper()
	return mint(t, "ops", auth.Grants{Publish: []string{"order.>", "user.*"}, Call: []string{"sys.>"}})
}

// connected is a client of a user, and the id of its session.
func (r *running) connected(t *testing.T, user string) (*client, string) {
	t.Helper()
	c := r.dial(t, mint(t, user, auth.Grants{Subscribe: []string{"order.>"}, Serve: []string{"quote.*"}}))
	c.write(`{"type":"connect","requestId":"c"}`)
	return c, c.until("connected").SessionID
}

func TestTheServerAPIWithCurl(t *testing.T) {
	r := start(t, closed)
	ops := operator(t)
	phone, phoneID := r.connected(t, "ann")
	laptop, laptopID := r.connected(t, "ann")
	bob, bobID := r.connected(t, "bob")
	phone.write(`{"type":"serve","requestId":"1","method":"quote.one"}`)
	phone.until("served")

	// Subscriptions from outside, and what is published to them.
	if answer := r.tell(t, ops, "Subscribe", `{"userId":"ann","channel":"order.a"}`); answer["sessions"] != 2.0 {
		t.Errorf("subscribed: %v", answer)
	}
	for _, c := range []*client{phone, laptop} {
		if f := c.until("subscribed"); f.Channel != "order.a" || f.RequestID != "" {
			t.Errorf("it hears %+v", f)
		}
	}
	r.tell(t, ops, "Broadcast", `{"channels":["order.b","order.a"],"data":{"a":1}}`)
	r.tell(t, ops, "Send", `{"userId":"bob","text":"hello"}`)
	for _, c := range []*client{phone, laptop} {
		if f := c.until("message"); f.Channel != "order.a" || string(f.Data) != `{"a":1}` || f.Publisher != "ops" {
			t.Errorf("it hears %+v", f)
		}
	}
	bob.subscribe("user.bob")
	if f := bob.until("message"); f.Text != "hello" {
		t.Errorf("bob hears %+v", f)
	}

	// What there is.
	channels := r.tell(t, ops, "Channels", `{"pattern":"order.>","limit":1}`)
	first := channels["channels"].([]any)[0].(map[string]any)
	if channels["total"] != 2.0 || channels["next"] != "order.a" || first["channel"] != "order.a" || first["tail"] != 1.0 || first["subscribers"] != 2.0 {
		t.Errorf("channels: %v", channels)
	}
	sessions := r.tell(t, ops, "Sessions", `{"channel":"order.a"}`)
	var ids []string
	for _, s := range sessions["sessions"].([]any) {
		one := s.(map[string]any)
		ids = append(ids, one["sessionId"].(string))
		if one["userId"] != "ann" || one["subscriptions"] != 1.0 || one["transport"] != "websocket" || one["format"] != "json" || one["since"] == 0.0 {
			t.Errorf("a session: %v", one)
		}
		if want := map[bool]int{true: 1}[one["sessionId"] == phoneID]; len(one["serves"].([]any)) != want {
			t.Errorf("it serves %v", one["serves"])
		}
	}
	if slices.Sort(ids); !slices.Equal(ids, slices.Sorted(slices.Values([]string{phoneID, laptopID}))) || sessions["total"] != 2.0 {
		t.Errorf("sessions: %v", sessions)
	}
	node := r.tell(t, ops, "Node", `{}`)
	want := map[string]any{"method": "quote.one", "servers": 1.0, "inFlight": 0.0, "queued": 0.0}
	if node["sessions"] != 3.0 || node["subscriptions"] != 3.0 || node["version"] != "test" || !maps.Equal(node["methods"].([]any)[0].(map[string]any), want) {
		t.Errorf("the node: %v", node)
	}

	// And the end of it.
	if answer := r.tell(t, ops, "Unsubscribe", `{"sessionId":"`+laptopID+`","channel":"order.a","reason":"closed"}`); answer["sessions"] != 1.0 {
		t.Errorf("unsubscribed: %v", answer)
	}
	if _, data, err := laptop.conn.Read(t.Context()); err != nil || string(data) != `{"type":"unsubscribed","channel":"order.a","code":"canceled","reason":"closed"}` {
		t.Errorf("the laptop hears %s, %v", data, err)
	}
	for _, test := range []struct {
		c    *client
		body string
		code int
	}{
		{laptop, `{"sessionId":"` + laptopID + `","reason":"update","mayReturn":true}`, 4010},
		{phone, `{"userId":"ann","reason":"closed"}`, 4503},
		{bob, `{"sessionId":"` + bobID + `"}`, 4503},
	} {
		if answer := r.tell(t, ops, "Disconnect", test.body); answer["sessions"] != 1.0 {
			t.Errorf("%s: %v", test.body, answer)
		}
		if f := test.c.until("goodbye"); f.Code != float64(test.code) {
			t.Errorf("%s: goodbye %+v, want %d", test.body, f, test.code)
		}
		if got := websocket.CloseStatus(test.c.end()); int(got) != test.code {
			t.Errorf("%s: closed with %d, want %d", test.body, got, test.code)
		}
	}
	eventually(t, "all sessions have gone", func() bool { return r.Gateway().Sessions() == 0 })
}

func TestTheServerAPIRefusesOverCurl(t *testing.T) {
	r := start(t, closed)
	nobody := mint(t, "eve", auth.Grants{Call: []string{">"}})
	for _, test := range []struct{ token, method, body, status, want string }{
		{nobody, "Sessions", `{}`, "403", `has no right to call method \"sys.sessions\"`},
		{nobody, "Disconnect", `{"userId":"ann"}`, "403", "permission_denied"},
		{nobody, "Send", `{"userId":"ann","data":1}`, "403", "permission_denied"},
		{"canary-token", "Node", `{}`, "401", "unauthenticated"},
		{operator(t), "Sessions", `{"limit":"5"}`, "400", "limit is a string"},
		{operator(t), "Sessions", `{`, "400", "not JSON"},
		{operator(t), "Nothing", `{}`, "404", "not found"},
	} {
		status, answer := r.curl(t, test.token, test.method, test.body)
		if status != test.status || !strings.Contains(answer, test.want) {
			t.Errorf("%s %s: status %s, %s, want %s and %s", test.method, test.body, status, answer, test.status, test.want)
		}
	}
	if strings.Contains(r.log.String(), "canary") {
		t.Errorf("the log has the token:\n%s", r.log.String())
	}
	status, _, metrics := ask(t, "GET", r.url("/metrics"), "")
	if status != 200 || !strings.Contains(metrics, `magpie_api_requests_total{code="permission_denied",method="Sessions"} 1`) {
		t.Errorf("the figures are of status %d:\n%s", status, metrics)
	}
}

// TestTheServerAPIWithGRPCurl needs nothing but the address: the methods are found by reflection.
func TestTheServerAPIWithGRPCurl(t *testing.T) {
	r := start(t, closed)
	_, id := r.connected(t, "ann")
	grpcurl := func(token string, args ...string) (string, error) {
		t.Helper()
		return program(t, "go", append([]string{
			"tool", "-modfile=go.tool.mod", "grpcurl", "-plaintext", "-max-time", "20", "-H", "Authorization: Bearer " + token,
		}, args...)...)
	}
	ops, address := operator(t), r.Addr().String()
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{address, "list"}, []string{"magpie.v1.GatewayService"}},
		{[]string{address, "describe", "magpie.v1.GatewayService.Disconnect"}, []string{"rpc Disconnect ( .magpie.v1.DisconnectRequest )"}},
		{[]string{"-d", `{"userId":"ann"}`, address, "magpie.v1.GatewayService/Sessions"}, []string{id, `"userId": "ann"`, `"total": "1"`}},
		{[]string{"-d", `{"channels":["order.a","order.b"],"text":"x"}`, address, "magpie.v1.GatewayService/Broadcast"}, []string{`"results": [`, `"offset": "1"`}},
		{[]string{address, "magpie.v1.GatewayService/Channels"}, []string{`"channel": "order.a"`, `"channel": "order.b"`}},
		{[]string{"-d", `{"userId":"ann"}`, address, "magpie.v1.GatewayService/Disconnect"}, []string{`"sessions": "1"`}},
	} {
		out, err := grpcurl(ops, test.args...)
		for _, want := range test.want {
			if err != nil || !strings.Contains(out, want) {
				t.Errorf("grpcurl %q: %v, %s, want %s", test.args, err, out, want)
			}
		}
	}
	nobody := mint(t, "eve", auth.Grants{})
	if out, err := grpcurl(nobody, address, "magpie.v1.GatewayService/Node"); err == nil || !strings.Contains(out, "PermissionDenied") {
		t.Errorf("without the right: %v, %s", err, out)
	}
	if out, err := grpcurl("wrong", address, "list"); err == nil || !strings.Contains(out, "Unauthenticated") {
		t.Errorf("with a wrong token: %v, %s", err, out)
	}
}

// TestChannelsOnDiskAreListed starts a gateway again: the channels that nobody has asked for since are listed.
func TestChannelsOnDiskAreListed(t *testing.T) {
	text := closed + "data: " + t.TempDir() + "\n"
	r := start(t, text)
	for i := range 5 {
		r.tell(t, operator(t), "Publish", fmt.Sprintf(`{"channel":"order.c%d","data":1}`, i))
	}
	before := r.tell(t, operator(t), "Channels", `{"pattern":"order.*"}`)
	r.stop()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	r = start(t, text)
	after := r.tell(t, operator(t), "Channels", `{"pattern":"order.*"}`)
	if fmt.Sprint(after) != fmt.Sprint(before) || after["total"] != 5.0 {
		t.Errorf("after a restart:\n%v\nbefore:\n%v", after, before)
	}
}
