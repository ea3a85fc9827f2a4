// Package peers_test shows calls between real programs through a real gateway: a Go process, a Java process and a tab of
// Chromium, each with a line of its own, which call methods that the others serve, all six ways. A test commands them by
// lines of text and reads what they tell, so every outcome is seen at both ends; program/main.go describes the lines.
//
// It needs a JDK, Maven and Chromium, which scripts/setup installs; without them the tests fail.
//
//	programs_test.go   builds and starts what runs here, the gateway among it
//	peer_test.go       a program as a test sees it
//	browser_test.go    the page, and the browser with it
//	calls_test.go      all six ways, with a reply, deadline, cancel, progress and an error on each
//	directed_test.go   calls to sessions, devices, users and the members of a channel
//	relay_test.go      calls that go on: round trips of all three, and services that call each other with no slot left
//	killed_test.go     a serving program that is killed with calls in flight
//	serverapi_test.go  a Java program that calls the server API by gRPC, with what Maven generates
package peers_test
