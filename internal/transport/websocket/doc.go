// Package websocket brings sessions to WebSocket lines (RFC 6455): one frame of Magpie in one message.
//
// There are two ways in. Embedded, the handshake is net/http's, so that every router and middleware works in front of
// it; [Handler] then takes the connection from net/http and hands it to an event loop. On the gateway's own listener the
// loop accepts the connection and reads the handshake itself, see [Handler.Listen], and net/http gets the rest. From there
// on a line costs a small struct: bytes are parsed where the loop read them, and only what is incomplete is kept.
//
//	handler.go   the handshake, and who may come in
//	listen.go    the same on the loops, without net/http
//	head.go      the heads of requests there
//	conn.go      one line on its loop: between netloop and session
//	pick.go      answers that go ahead while commands wait
//	header.go    frame headers, read and written
//	message.go   fragments, UTF-8, control frames
//	deflate.go   permessage-deflate (RFC 7692)
//	format.go    Magpie's frames as finished WebSocket frames
package websocket
