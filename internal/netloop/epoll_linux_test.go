package netloop

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// A wake that comes after the end must not be written to whoever has the descriptor then.
func TestWakeAfterCloseTouchesNoDescriptor(t *testing.T) {
	g, err := NewGroup(Options{Loops: 1, Driver: DriverEpoll})
	if err != nil {
		t.Fatal(err)
	}
	loop := g.Loops()[0]
	waker := loop.poller.(*epoll).waker
	g.Start()
	g.Close()

	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]) }()
	if pipe[0] != waker && pipe[1] != waker {
		if _, err := unix.FcntlInt(uintptr(waker), unix.F_GETFD, 0); !errors.Is(err, unix.EBADF) {
			t.Fatalf("descriptor %d is in use already: %v", waker, err)
		}
		if err := unix.Dup3(pipe[1], waker, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(waker) }()
	} else if pipe[0] == waker {
		t.Fatalf("the reading end took descriptor %d", waker)
	}
	loop.woken.Store(false)
	loop.Wake()
	if n, err := unix.Read(pipe[0], make([]byte, 8)); n > 0 || !errors.Is(err, unix.EAGAIN) {
		t.Errorf("%d bytes were written to a descriptor of somebody else (%v)", n, err)
	}
}

func TestAdoptWithoutDescriptorsLeft(t *testing.T) {
	leavesNothingBehind(t)
	g := startGroup(t, Options{Loops: 1, Driver: DriverEpoll})
	server, client := socketPair(t)
	steady, steadyClient := socketPair(t)
	echo().adopt(t, g, steady, "")

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := unix.Rlimit{Cur: 3, Max: limit.Max} // those of the standard streams
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	err := g.Adopt(server, nil, nil)
	if restored := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); restored != nil {
		t.Fatal(restored)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("Adopt: %v, want EMFILE", err)
	}
	if n := g.Loops()[0].Conns(); n != 1 {
		t.Errorf("the loop counts %d connections, want 1", n)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the connection that was refused is still open")
	}
	roundTrip(t, steadyClient, "still here")
}
