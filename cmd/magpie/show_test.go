package main

import (
	"strings"
	"testing"
	"time"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

func TestMessageAsJSON(t *testing.T) {
	for _, test := range []struct {
		payload magpieclient.Payload
		want    string
	}{
		{magpieclient.JSON([]byte("{\"a\":\n  \"<b>\"}")), `"data":{"a":"<b>"}`},
		{magpieclient.JSON([]byte("12345678901234567890")), `"data":12345678901234567890`},
		{magpieclient.Text("a\nb"), `"text":"a\nb"`},
		{magpieclient.Text(""), `"text":""`},
		{magpieclient.Bytes([]byte{0xff}), `"base64":"/w=="`},
		{magpieclient.Payload{}, ""},
	} {
		m := &magpieclient.Message{
			Channel: "c", Position: magpieclient.Position{Epoch: "k", Offset: 7}, Time: time.UnixMilli(5), Payload: test.payload,
		}
		want := `{"channel":"c","epoch":"k","offset":7,"timestamp":5`
		if test.want != "" {
			want += "," + test.want
		}
		if got, err := appendJSON(nil, m); err != nil || string(got) != want+"}\n" {
			t.Errorf("appendJSON = %q, %v, want %q", got, err, want)
		}
	}
}

func TestMessageForAPerson(t *testing.T) {
	m := &magpieclient.Message{
		Channel: "c", Position: magpieclient.Position{Epoch: "k", Offset: 7}, Publisher: "eve\x1b[2J", Key: "k\n",
		Tags: map[string]string{"b": "2", "a": "1"}, Time: time.UnixMilli(5),
		Payload: magpieclient.Text("one\ntwo\t\u202e\x1b]0;title\x07\u009b1m\xff"),
	}
	got, err := appendPretty(nil, m)
	want := ` c #7 eve\u001b[2J key=k\n a=1 b=2  one\ntwo\t\u202e\u001b]0;title\u0007\u009b1m` + "\ufffd\n"
	if err != nil || !strings.HasSuffix(string(got), want) {
		t.Errorf("appendPretty = %q, %v, want %q", got, err, want)
	}
	m = &magpieclient.Message{Channel: "c", Payload: magpieclient.JSON([]byte("{\n\"a\": \"\u009b\"}"))}
	if got, err := appendPretty(nil, m); err != nil || !strings.HasSuffix(string(got), `{"a":"\u009b"}`+"\n") {
		t.Errorf("appendPretty = %q, %v", got, err)
	}
}

func TestWhereToBegin(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		flags subFlags
		want  magpieclient.Start
	}{
		{subFlags{}, magpieclient.Now()},
		{subFlags{last: 3}, magpieclient.Last(3)},
		{subFlags{from: "0"}, magpieclient.After(0)},
		{subFlags{from: "41"}, magpieclient.After(41)},
		{subFlags{from: "k3:41"}, magpieclient.At(magpieclient.Position{Epoch: "k3", Offset: 41})},
		{subFlags{since: "10m"}, magpieclient.Since(now.Add(-10 * time.Minute))},
		{subFlags{since: "2026-11-20T11:00:00Z"}, magpieclient.Since(now.Add(-time.Hour))},
	} {
		if got, err := test.flags.start(now); err != nil || got != test.want {
			t.Errorf("%+v: begins at %v, %v, want %v", test.flags, got, err, test.want)
		}
	}
}
