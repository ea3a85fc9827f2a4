package peers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// buildServerAPI lets Maven generate the stubs and compile the program, and returns its class path.
func buildServerAPI(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool(t, "Maven", "mvn"), "--batch-mode", "--quiet", "compile")
	cmd.Dir = "grpc"
	endTogether(cmd)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mvn compile: %v\n%s", err, output)
	}
	libraries, err := os.ReadFile("grpc/target/classpath")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join("grpc", "target", "classes") + string(os.PathListSeparator) + strings.TrimSpace(string(libraries))
}

// startServerAPI starts the Java program that calls the server API.
func startServerAPI(t *testing.T, g *gateway) *peer {
	t.Helper()
	path := buildServerAPI(t)
	return startPeer(t, "backend", exec.Command(tool(t, "JDK 17 or newer", "java"), "-XX:TieredStopAtLevel=1",
		"-cp", path, "io.github.magpiebridge.peers.ServerApi", g.address))
}

// rpc makes a call of the server API, and reads its response.
func (p *peer) rpc(t *testing.T, id, method string, request, response proto.Message) {
	t.Helper()
	p.ask(t, id, method, request)
	eventually(t, method+" is answered", func() bool { return len(p.said("response", id))+len(p.said("status", id)) > 0 })
	for _, status := range p.said("status", id) {
		t.Fatalf("%s: %s", method, status.raw)
	}
	if err := protojson.Unmarshal([]byte(p.await(t, "response", id).raw), response); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

// ask makes a call of the server API.
func (p *peer) ask(t *testing.T, id, method string, request proto.Message) {
	t.Helper()
	text, err := protojson.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	p.command(t, "%s %s %s", id, method, text)
}

// A Java program publishes, reads what is there, asks the node how it is and calls a service, all by gRPC over plain HTTP/2.
func TestJavaCallsTheServerAPI(t *testing.T) {
	g := startGateway(t, "")
	backend := startServerAPI(t, g)
	var published magpiev1.PublishResponse
	order := &magpiev1.PublishRequest{
		Channel: "order.update", MessageId: "m1", Key: "order-7",
		Payload: &magpiev1.PublishRequest_Data{Data: []byte(`{"state":"paid","by":"鵲"}`)},
	}
	backend.rpc(t, "publish", "Publish", order, &published)
	if published.GetPosition().GetOffset() != 1 || published.GetPosition().GetEpoch() == "" || published.GetDuplicate() {
		t.Errorf("it was published as %s", &published)
	}
	var again magpiev1.PublishResponse
	backend.rpc(t, "again", "Publish", order, &again)
	if !again.GetDuplicate() || !proto.Equal(again.GetPosition(), published.GetPosition()) {
		t.Errorf("published again, it is %s", &again)
	}
	var page magpiev1.HistoryResponse
	backend.rpc(t, "history", "History", &magpiev1.HistoryRequest{Channel: "order.update"}, &page)
	if len(page.GetMessages()) != 1 || page.GetTail() != 1 || page.GetEpoch() != published.GetPosition().GetEpoch() {
		t.Fatalf("the page is %s", &page)
	}
	if m := page.GetMessages()[0]; string(m.GetData()) != `{"state":"paid","by":"鵲"}` || m.GetMessageId() != "m1" || m.GetKey() != "order-7" {
		t.Errorf("the message is %s", m)
	}
	backend.ask(t, "refused", "Publish", &magpiev1.PublishRequest{Channel: "a..b"})
	if status := backend.await(t, "status", "refused").raw; !strings.HasPrefix(status, "INVALID_ARGUMENT: ") {
		t.Errorf("a bad channel name is refused with %s", fmt.Sprintf("%q", status))
	}
	var node magpiev1.NodeResponse
	backend.rpc(t, "node", "Node", &magpiev1.NodeRequest{}, &node)
	if node.GetNodeId() == "" || node.GetStartedAt() == 0 || node.GetDraining() {
		t.Errorf("the node is %s", &node)
	}
}

// The Java program calls a method that a Go program serves on its line.
func TestJavaCallsAServiceByTheServerAPI(t *testing.T) {
	g := startGateway(t, "")
	backend := startServerAPI(t, g)
	service := startGo(t, g, "go")
	service.ready(t)
	service.serve(t, 2, "reply", "wait")
	var quote magpiev1.CallResponse
	backend.rpc(t, "quote", "Call", &magpiev1.CallRequest{
		Method: "go.reply", TimeoutMs: 10_000, Meta: map[string]string{"id": "quote"},
		Payload: &magpiev1.CallRequest_Data{Data: []byte(`{"sku":"鵲"}`)},
	}, &quote)
	if string(quote.GetData()) != `{"from":"go","got":{"sku":"鵲"}}` || quote.GetMeta()["id"] != "quote" {
		t.Errorf("the answer is %s", &quote)
	}
	backend.ask(t, "slow", "Call", &magpiev1.CallRequest{Method: "go.wait", TimeoutMs: 300, Meta: map[string]string{"id": "slow"}})
	if status := backend.await(t, "status", "slow").raw; !strings.HasPrefix(status, "DEADLINE_EXCEEDED: ") {
		t.Errorf("a call that takes too long ends with %s", status)
	}
	service.await(t, "canceled", "slow")
}
