// Package session is one client's life on its line: a state machine with frames in and frames out.
//
// A [Session] has no goroutine and makes no blocking call. Its transport feeds it: [Session.Frame] for each frame that
// arrived, [Session.Writable] when the kernel has room again, [Session.Timer] when its time has come, [Session.Closed]
// at the end. It writes through the [Line] it was given. So it runs the same on an event loop and under a test with a
// line and a clock of its own.
//
// What a session owes its client lies in two places only. Frames meant for it alone (replies, errors, gaps) are in its
// outbox, which is bounded: when it is full, no more is read. Messages are not queued at all: a subscription is a
// cursor over the channel's log, and flushing writes from the cursor to the tail. A client that reads slowly has
// cursors that lag, and nothing else.
//
// The sessions of one loop share a [Shard]. It owns, for each channel that any of them has subscribed, the list of
// their cursors, and moves these along when the channel's tail moves: in slices of time, so that a large channel does
// not keep the loop from the others.
//
// Everything here is for one loop alone, unless it says otherwise.
//
//	settings.go   limits and times, the same for all sessions
//	line.go       what a session needs of the connection beneath
//	session.go    Session: its states, and the frames that come in
//	connect.go    who it is
//	resume.go     sessions that go on on another line
//	reopen.go     their subscriptions, and what is written down of sessions
//	subscribe.go  cursors opened and closed
//	pattern.go    patterns, and who holds which channel
//	expand.go     the channels of patterns on their way to be joined
//	revive.go     the patterns of resumed sessions
//	publish.go    messages on their way in
//	history.go    pages of the past on their way out
//	presence.go   pages of members, and the session as one of them
//	screen.go     what the embedding program is asked about a session
//	renew.go      rights that are checked again when they have changed
//	call.go       calls that the session has made
//	parts.go      the parts of their results, which the caller may take slowly
//	serve.go      methods that the session serves
//	asked.go      calls that it has in hand
//	reach.go      calls that are directed at sessions
//	sift.go       cursors of those who share a filter
//	choose.go     what a subscription leaves out besides
//	cold.go       cursors that wait for the disk
//	flush.go      the outbox and the cursors on their way out
//	slow.go       what becomes of cursors that fall behind
//	tour.go       many sessions visited, for whoever asks from outside
//	lag.go        how far behind the subscriptions are
//	list.go       which sessions there are
//	steer.go      sessions ended, subscribed and unsubscribed
//	timer.go      heartbeat and timeouts
//	close.go      goodbye, and the end
//	shard.go      the sessions of one loop
//	topic.go      the subscribers of one channel on one loop
package session
