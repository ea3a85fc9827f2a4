// Package presence knows who is here: the members of channels, which are the sessions that have subscribed them, and the
// users that are online.
//
// A member is told of by a message to the channel sys.members.<channel>, a user by one to sys.online.<user>: ordinary
// messages, that can be followed, recovered and read back like any other. What has been told is what a page of members
// shows, so that a page can name the position in that channel which it is as of:
//
//	page as of p, and then each message behind p = who is here
//
// For this, one change of a channel is on its way at a time: either messages are appended, and what they tell becomes true
// with the last of them, or the position is read and pages are made as of it.
//
// Whoever leaves is given a time of grace to come back, and only then it is told. In a large channel a message a second tells
// of all that have come and gone. A node holds all its members by one lease; when that ends, they leave, and once.
//
//	registry.go    Registry: what is kept, and the goroutine that tells of it
//	node.go        Node: the members that one node has
//	room.go        the members of one channel, and what is to be told of them
//	page.go        pages of them
//	rows.go        members in the order of their sessions
//	online.go      users
//	event.go       the messages
//	departures.go  who may still come back
//	lease.go       who is alive among the nodes
package presence
