package magpieclient_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// codecs are the encodings that the tests run over.
var codecs = map[string]magpieclient.Codec{"json": magpieclient.CodecJSON, "protobuf": magpieclient.CodecProtobuf}

// serveUpper serves a method that turns texts into capitals, and counts its calls.
func serveUpper(t *testing.T, c *magpieclient.Client, concurrency int) (service *magpieclient.Service, calls *atomic.Int64) {
	t.Helper()
	calls = new(atomic.Int64)
	service, err := c.Serve(t.Context(), "text.upper", func(_ context.Context, r *magpieclient.Request) (magpieclient.Payload, error) {
		calls.Add(1)
		return magpieclient.Text(strings.ToUpper(string(r.Payload.Bytes))), nil
	}, magpieclient.ServeOptions{Concurrency: concurrency})
	if err != nil {
		t.Fatal(err)
	}
	return service, calls
}

func TestServicesShareTheCalls(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var broke atomic.Int64
			address := startGateway(t)
			_, first := serveUpper(t, dial(t, address, codec, &broke), 2)
			second, secondCalls := serveUpper(t, dial(t, address, codec, &broke), 2)
			caller := dial(t, address, codec, &broke)
			callUpper := func(callers, each int) {
				var calling sync.WaitGroup
				for n := range callers {
					calling.Go(func() {
						for m := range each {
							text := fmt.Sprintf("call %d of %d", m, n)
							reply, err := caller.Call(t.Context(), "text.upper", magpieclient.Text(text), magpieclient.CallOptions{})
							if err != nil || string(reply.Payload.Bytes) != strings.ToUpper(text) {
								t.Errorf("Call: %+v, %v", reply, err)
								return
							}
						}
					})
				}
				calling.Wait()
			}
			callUpper(20, 20) // of which 16 wait at the gateway
			if a, b := first.Load(), secondCalls.Load(); a+b != 400 || a < 50 || b < 50 {
				t.Errorf("the calls were shared as %d and %d", a, b)
			}
			if err := second.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
			before := secondCalls.Load()
			callUpper(4, 5)
			if got := secondCalls.Load(); got != before {
				t.Errorf("a service that was closed got %d more calls", got-before)
			}
			if broke.Load() > 0 {
				t.Errorf("lines broke %d times", broke.Load())
			}
		})
	}
}

// A result in parts comes whole and in order, and its sender waits for a caller who takes his time.
func TestResultInParts(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const parts = 1000
			var broke, sent atomic.Int64
			address := startGateway(t)
			server, caller := dial(t, address, codec, &broke), dial(t, address, codec, &broke)
			_, err := server.Serve(t.Context(), "report.rows", func(ctx context.Context, r *magpieclient.Request) (magpieclient.Payload, error) {
				for n := range parts {
					if err := r.Progress(ctx, magpieclient.Text(fmt.Sprint(n))); err != nil {
						return magpieclient.Payload{}, err
					}
					sent.Add(1)
				}
				return magpieclient.Text("end"), nil
			}, magpieclient.ServeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			taken := int64(0)
			reply, err := caller.Call(t.Context(), "report.rows", magpieclient.Payload{}, magpieclient.CallOptions{OnProgress: func(part magpieclient.Payload) {
				if string(part.Bytes) != fmt.Sprint(taken) {
					t.Errorf("part %d is %s", taken, part.Bytes)
				}
				if ahead := sent.Load() - taken; ahead > 16+8 { // the window, and what credit may be given in one go
					t.Errorf("the sender is %d parts ahead", ahead)
				}
				taken++
			}})
			if err != nil || string(reply.Payload.Bytes) != "end" || taken != parts {
				t.Errorf("Call: %+v, %v after %d parts", reply, err, taken)
			}
		})
	}
}

func TestCallerThatGoesAwayEndsTheHandler(t *testing.T) {
	var broke atomic.Int64
	address := startGateway(t)
	server := dial(t, address, magpieclient.CodecJSON, &broke)
	begun, ended := make(chan struct{}), make(chan error)
	_, err := server.Serve(t.Context(), "job.run", func(ctx context.Context, _ *magpieclient.Request) (magpieclient.Payload, error) {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return magpieclient.Payload{}, ctx.Err()
	}, magpieclient.ServeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	leave := map[string]func(caller *magpieclient.Client, cancel context.CancelFunc){
		"canceled":    func(_ *magpieclient.Client, cancel context.CancelFunc) { cancel() },
		"closed":      func(caller *magpieclient.Client, _ context.CancelFunc) { caller.Close() },
		"out of time": func(*magpieclient.Client, context.CancelFunc) {},
	}
	for name, leave := range leave {
		caller := dial(t, address, magpieclient.CodecJSON, &broke)
		timeout := time.Minute
		if name == "out of time" {
			timeout = 200 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		var calling sync.WaitGroup
		calling.Go(func() {
			if _, err := caller.Call(ctx, "job.run", magpieclient.Payload{}, magpieclient.CallOptions{}); err == nil {
				t.Errorf("%s: the call succeeded", name)
			}
		})
		<-begun
		leave(caller, cancel)
		if err := <-ended; err == nil {
			t.Errorf("%s: the handler's context goes on", name)
		}
		calling.Wait()
		cancel()
	}
}

func TestFailuresOfPeers(t *testing.T) {
	var broke atomic.Int64
	address := startGateway(t)
	server, caller := dial(t, address, magpieclient.CodecJSON, &broke), dial(t, address, magpieclient.CodecJSON, &broke)
	closing := make(chan struct{})
	_, err := server.Serve(t.Context(), "fail", func(ctx context.Context, r *magpieclient.Request) (magpieclient.Payload, error) {
		switch string(r.Payload.Bytes) {
		case "own":
			return magpieclient.Payload{}, &magpieclient.Error{Code: magpieclient.CodeFailedPrecondition, Message: "closed on Sundays", Details: []byte(`{"day":7}`)}
		case "large":
			return magpieclient.Text(strings.Repeat("x", 1<<20)), nil
		case "panic":
			panic("secret")
		case "wait":
			close(closing)
			<-ctx.Done()
		}
		return magpieclient.Payload{}, errors.New("secret")
	}, magpieclient.ServeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, text string) error {
		_, err := caller.Call(t.Context(), method, magpieclient.Text(text), magpieclient.CallOptions{})
		return err
	}
	for text, want := range map[string]magpieclient.Code{
		"own": magpieclient.CodeFailedPrecondition, "large": magpieclient.CodeResourceExhausted, "panic": magpieclient.CodeInternal, "other": magpieclient.CodeInternal,
	} {
		err := call("fail", text)
		failure, ok := errors.AsType[*magpieclient.Error](err)
		if !ok || failure.Code != want || strings.Contains(err.Error(), "secret") || (string(failure.Details) == `{"day":7}`) != (text == "own") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := call("nobody.serves.it", ""); magpieclient.CodeOf(err) != magpieclient.CodeNotFound {
		t.Errorf("a method that nobody serves: %v", err)
	}
	if broke.Load() > 0 {
		t.Errorf("lines broke %d times", broke.Load())
	}
	var calling sync.WaitGroup
	calling.Go(func() {
		if err := call("fail", "wait"); magpieclient.CodeOf(err) != magpieclient.CodeUnavailable {
			t.Errorf("the server went: %v", err)
		}
	})
	<-closing
	server.Close()
	calling.Wait()
}

func TestCallsToAUser(t *testing.T) {
	var broke atomic.Int64
	address := startGateway(t)
	caller := dial(t, address, magpieclient.CodecJSON, &broke)
	for _, device := range []string{"phone", "laptop"} {
		sessions := make(chan string, 1)
		c, err := magpieclient.Dial(t.Context(), magpieclient.Options{URL: "ws://" + address + "/ws", Device: device, OnState: func(change magpieclient.StateChange) {
			if change.State == magpieclient.StateConnected {
				sessions <- change.SessionID
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.Handle("ui.device", func(_ context.Context, r *magpieclient.Request) (magpieclient.Payload, error) {
			return magpieclient.Text(device + " for " + r.Caller.UserID), nil
		})
		if _, err := c.Subscribe(t.Context(), "room.7", magpieclient.SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, opts := range []magpieclient.CallOptions{{To: "user:dev", Device: device}, {To: "session:" + <-sessions}} {
			reply, err := caller.Call(t.Context(), "ui.device", magpieclient.Payload{}, opts)
			if err != nil || string(reply.Payload.Bytes) != device+" for dev" {
				t.Errorf("Call %+v: %+v, %v", opts, reply, err)
			}
		}
	}
	reply, err := caller.Call(t.Context(), "ui.device", magpieclient.Payload{}, magpieclient.CallOptions{To: "user:dev"})
	if err != nil || !strings.HasSuffix(string(reply.Payload.Bytes), " for dev") {
		t.Errorf("whoever is first: %+v, %v", reply, err)
	}
	for to, want := range map[string]struct{ asked, answered int }{"user:dev": {3, 2}, "channel:room.7": {2, 2}} {
		reply, err := caller.Call(t.Context(), "ui.device", magpieclient.Payload{}, magpieclient.CallOptions{To: to, All: true})
		if err != nil || reply.Asked != want.asked || len(reply.Answers) != want.asked {
			t.Errorf("everybody of %s: %+v, %v", to, reply, err)
			continue
		}
		answered := 0
		for _, a := range reply.Answers {
			switch {
			case a.Err == nil && string(a.Payload.Bytes) == a.Device+" for dev" && a.UserID == "dev":
				answered++
			case a.Device != "" || magpieclient.CodeOf(a.Err) != magpieclient.CodeUnimplemented: // the caller itself
				t.Errorf("everybody of %s: %+v", to, a)
			}
		}
		if answered != want.answered {
			t.Errorf("everybody of %s: %d answered, want %d", to, answered, want.answered)
		}
	}
	if _, err := caller.Call(t.Context(), "ui.device", magpieclient.Payload{}, magpieclient.CallOptions{To: "user:eve"}); magpieclient.CodeOf(err) != magpieclient.CodeNotFound {
		t.Errorf("a user who is not there: %v", err)
	}
}

// Who does not answer at all does not keep the answers of the others from coming.
func TestGatheredAnswersComeInTime(t *testing.T) {
	var broke atomic.Int64
	address := startGateway(t)
	quick, mute := dial(t, address, magpieclient.CodecJSON, &broke), dial(t, address, magpieclient.CodecJSON, &broke)
	quick.Handle("ui.vote", func(context.Context, *magpieclient.Request) (magpieclient.Payload, error) {
		return magpieclient.Text("yes"), nil
	})
	mute.Handle("ui.vote", func(ctx context.Context, _ *magpieclient.Request) (magpieclient.Payload, error) {
		<-ctx.Done()
		return magpieclient.Payload{}, ctx.Err()
	})
	for _, c := range []*magpieclient.Client{quick, mute} {
		if _, err := c.Subscribe(t.Context(), "room.7", magpieclient.SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	reply, err := dial(t, address, magpieclient.CodecJSON, &broke).Call(ctx, "ui.vote", magpieclient.Payload{}, magpieclient.CallOptions{To: "channel:room.7"})
	if err != nil || reply.Asked != 2 || len(reply.Answers) == 0 || string(reply.Answers[0].Payload.Bytes) != "yes" {
		t.Errorf("Call: %+v, %v", reply, err)
	}
}

// Over lines that break all the time a service comes back every time: calls fail in between, and succeed again.
func TestServiceOverBreakingLines(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const cuts, calls = 4, 400
			var callerBroke, serverBroke atomic.Int64
			target := startGateway(t)
			serveUpper(t, dial(t, startProxy(t, target, 3, cuts), codec, &serverBroke), 8)
			caller := dial(t, target, codec, &callerBroke)
			failed := 0
			deadline := time.Now().Add(time.Minute)
			for done := 0; done < calls; {
				text := fmt.Sprintf("%d %s", done, strings.Repeat("x", 200))
				reply, err := caller.Call(t.Context(), "text.upper", magpieclient.Text(text), magpieclient.CallOptions{})
				switch code := magpieclient.CodeOf(err); {
				case err == nil && string(reply.Payload.Bytes) == strings.ToUpper(text):
					done++
				case time.Now().Before(deadline) && (code == magpieclient.CodeUnavailable || code == magpieclient.CodeNotFound):
					failed++
					time.Sleep(10 * time.Millisecond) // the server is on its way back
				default:
					t.Fatalf("call %d after %d that failed: %+v, %v", done, failed, reply, err)
				}
			}
			if serverBroke.Load() < 2 || failed == 0 || callerBroke.Load() > 0 {
				t.Errorf("the lines broke %d and %d times, and %d calls failed", serverBroke.Load(), callerBroke.Load(), failed)
			}
		})
	}
}
