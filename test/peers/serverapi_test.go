package peers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// refused makes a call of the server API that is refused.
func (p *peer) refused(t *testing.T, id, method string, request proto.Message, code string) {
	t.Helper()
	p.ask(t, id, method, request)
	if status := p.await(t, "status", id).raw; !strings.HasPrefix(status, code+": ") {
		t.Errorf("%s: %s is refused with %q, want %s", id, method, status, code)
	}
}

// A Java program that has no line of its own does all that by gRPC over plain HTTP/2.
func TestJavaCallsTheServerAPI(t *testing.T) {
	g := startGateway(t, "")
	backend := startServerAPI(t, g)
	t.Run("publishes, and reads what is there", func(t *testing.T) { publishAndRead(t, backend) })
	service := startGo(t, g, "go")
	service.ready(t)
	service.serve(t, 8, "reply", "wait", "fail")
	t.Run("calls what a Go program serves on its line", func(t *testing.T) { callService(t, backend, service) })
	t.Run("asks the node how it is", func(t *testing.T) { askNode(t, backend) })
	service.nothingElse(t)
}

func publishAndRead(t *testing.T, backend *peer) {
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
	backend.refused(t, "bad-name", "Publish", &magpiev1.PublishRequest{Channel: "a..b"}, "INVALID_ARGUMENT")
}

func callService(t *testing.T, backend, service *peer) {
	var reply magpiev1.CallResponse
	backend.rpc(t, "call", "Call", call("go.reply", "call", patience), &reply)
	if !sameJSON(t, reply.GetData(), `{"from":"go","got":{"for":"call"}}`) || reply.GetMeta()["id"] != "call" {
		t.Errorf("the reply is %s", &reply)
	}
	if f := service.await(t, "called", "call").frame(t); f.Caller.UserID != "dev" || f.Caller.SessionID != "" || f.TimeoutMs <= 0 {
		t.Errorf("the service was told the caller %+v and %d ms", f.Caller, f.TimeoutMs)
	}
	backend.refused(t, "failing", "Call", call("go.fail", "failing", patience), "FAILED_PRECONDITION")
	backend.refused(t, "unserved", "Call", call("nobody.reply", "unserved", patience), "NOT_FOUND")
	backend.refused(t, "late", "Call", call("go.wait", "late", deadline), "DEADLINE_EXCEEDED")
	service.await(t, "canceled", "late")
}

func askNode(t *testing.T, backend *peer) {
	var node magpiev1.NodeResponse
	backend.rpc(t, "node", "Node", &magpiev1.NodeRequest{}, &node)
	if node.GetNodeId() == "" || node.GetStartedAt() == 0 || node.GetSessions() != 1 {
		t.Errorf("the node is %s", &node)
	}
	for _, kind := range []string{"reply", "wait", "fail"} {
		want := &magpiev1.MethodInfo{Method: "go." + kind, Servers: 1}
		if !slices.ContainsFunc(node.GetMethods(), func(m *magpiev1.MethodInfo) bool { return proto.Equal(m, want) }) {
			t.Errorf("the node does not know that one session serves go.%s, and that none of its calls are open: %v", kind, node.GetMethods())
		}
	}
}

// call is a call by the server API. Its id is also its data.
func call(method, id string, timeout time.Duration) *magpiev1.CallRequest {
	return &magpiev1.CallRequest{
		Method: method, TimeoutMs: timeout.Milliseconds(), Meta: map[string]string{"id": id},
		Payload: &magpiev1.CallRequest_Data{Data: fmt.Appendf(nil, `{"for":%q}`, id)},
	}
}
