package api

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

const historyURL = "/magpie.v1.GatewayService/History"

func TestHistoryAsCurlDoes(t *testing.T) {
	r := newRig(t, rigOptions{development: true})
	r.send(request{noKey: true, body: `{"channel":"order.update","messages":[{"data":{"a": 1.50}},{"text":"two"},{"base64":"AP8="}]}`})
	got := r.send(request{noKey: true, path: historyURL, body: `{"channel":"order.update","limit":2,"reverse":true}`})
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, type %q: %s", got.status, got.header.Get("Content-Type"), got.body)
	}
	for _, want := range []string{
		`{"channel":"order.update","epoch":"`, `"head":1,"tail":3,"messages":[{"offset":3,`, `"base64":"AP8="},{"offset":2,`,
		`"text":"two"}],"next":{"epoch":"`, `"offset":2}}`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("%s is not in %s", want, got.body)
		}
	}
	got = r.send(request{noKey: true, path: historyURL, body: `{"channel":"order.update","from":{"epoch":"k0","offset":7}}`})
	if !strings.Contains(got.body, `"gap":{"epoch":"`) || !strings.Contains(got.body, `"reason":"epoch"}`) || !strings.Contains(got.body, `"data":{"a": 1.50}}`) {
		t.Errorf("another epoch is answered with %s", got.body)
	}
}

func TestHistoryWithTheGeneratedClient(t *testing.T) {
	for name, opts := range protocols() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{development: true})
			client := r.client("", opts...)
			batch := []*magpiev1.Publication{
				{MessageId: "m1", Tags: map[string]string{"region": "eu"}, Payload: &magpiev1.Publication_Data{Data: []byte(`1`)}},
				{Payload: &magpiev1.Publication_Bytes{Bytes: []byte{0, 0xff}}},
			}
			if _, err := client.Publish(t.Context(), connect.NewRequest(&magpiev1.PublishRequest{Channel: "a", Messages: batch})); err != nil {
				t.Fatal(err)
			}
			offset := uint64(0)
			got, err := client.History(t.Context(), connect.NewRequest(&magpiev1.HistoryRequest{Channel: "a", From: &magpiev1.Start{Offset: &offset}, Limit: 1}))
			if err != nil {
				t.Fatal(err)
			}
			page := got.Msg
			if len(page.GetMessages()) != 1 || page.GetTail() != 2 || page.GetNext().GetOffset() != 1 || page.GetGap() != nil {
				t.Fatalf("the first page is %v", page)
			}
			if m := page.GetMessages()[0]; m.GetOffset() != 1 || m.GetMessageId() != "m1" || m.GetTags()["region"] != "eu" || string(m.GetData()) != "1" || m.GetPublisher() != "dev" {
				t.Errorf("the first message is %v", m)
			}
			next := &magpiev1.Start{Epoch: page.GetNext().GetEpoch(), Offset: &page.Next.Offset}
			got, err = client.History(t.Context(), connect.NewRequest(&magpiev1.HistoryRequest{Channel: "a", From: next}))
			if err != nil {
				t.Fatal(err)
			}
			if m := got.Msg.GetMessages(); len(m) != 1 || string(m[0].GetBytes()) != "\x00\xff" || got.Msg.GetNext() != nil {
				t.Errorf("the second page is %v", got.Msg)
			}
		})
	}
}

func TestHistoryIsRefused(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, test := range []struct {
		request request
		status  int
		want    string
	}{
		{request{noKey: true, body: `{"channel":"order.update"}`}, http.StatusUnauthorized, "unauthenticated"},
		{request{body: `{"channel":"order.update"}`}, http.StatusForbidden, "permission_denied"},
		{request{body: `{"channel":"user.bob"}`}, http.StatusForbidden, "permission_denied"},
		{request{body: `{"channel":"user.pricing"}`}, http.StatusOK, `"messages":[]`},
		{request{body: `{"channel":"user.pricing","limit":1001}`}, http.StatusBadRequest, "from 0 to 1000"},
		{request{body: `{"channel":""}`}, http.StatusBadRequest, "channel is missing"},
	} {
		test.request.path = historyURL
		if got := r.send(test.request); got.status != test.status || !strings.Contains(got.body, test.want) {
			t.Errorf("%s: status %d, %s; want %d, %s", test.request.body, got.status, got.body, test.status, test.want)
		}
	}
}
