// Package keep remembers the sessions of a node beyond their lines: a client that comes back with the token it was given
// goes on with the session that it had.
//
// A session is in one of three places. While its line is open it lives on a loop, where its id says, or where it was
// resumed ([Keeper.Where]). When the line breaks it is kept here, for a time, and as long as there are not too many. With
// a [Store] it is on disk as well, so that it can be resumed after a restart of the gateway: what changed is written in
// the background, at most twice a second, and read when somebody asks for it. What is on disk of this run of the gateway
// is never read, because memory knows better.
//
// Whatever is lost of a session costs its client some frames and nothing else: it subscribes by itself, from its own
// positions.
//
//	keeper.go   Keeper: the sessions without a line, and where those live that were resumed
//	entry.go    one kept session, and the lists that it is in
//	saver.go    what is written in the background, read back and swept
//	record.go   a session on disk
//	seal.go     resume tokens
//	metrics.go  what is counted
package keep
