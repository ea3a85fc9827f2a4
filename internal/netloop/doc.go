// Package netloop runs connections on a few event loops.
//
// A [Loop] is one goroutine that owns its connections and everything that hangs on them: handlers, timers, subscriber
// lists. Nothing on a loop needs a lock. Work from elsewhere comes in by [Loop.Post]; long work goes on in slices
// between the events, see [Worker].
//
// Two drivers bring the bytes, behind one interface, [Conn]. On Linux the loop waits with epoll for its sockets and
// reads and writes them itself: an idle connection has no goroutine and no buffer. So it is with TLS on a listener of
// [Group.BeneathTLS]. Connections that are no plain sockets (wrappers, other TLS), and other systems, have a goroutine
// that reads, and one that writes while there is something to write; both hand over to the loop, so that handlers see no
// difference.
//
//	group.go          the loops of a process; taking a connection over
//	listen.go         connections that a loop accepts itself, and gives back
//	listen_linux.go   accepting with epoll
//	loop.go           one loop: events, tasks, slices of work, timers
//	wheel.go          the timers of a loop
//	conn.go           Handler and Conn: what both drivers keep to
//	goconn.go         the goroutine driver
//	poller.go         waiting without epoll
//	sys_linux.go      reads and writes that never block
//	epoll_linux.go    waiting with epoll, and connections read by the loop itself
//	tls_linux.go      TLS on connections read by the loop itself
//	epoll_other.go    says that there is no epoll
package netloop
