package magpieclient

import "time"

// State says what the line does now.
type State uint8

// The states of a line.
const (
	StateConnecting State = iota // dialling, or waiting for the gateway's answer to the credential
	StateConnected               // open
	StateWaiting                 // broken; it is dialled again after a while
	StateClosed                  // for good: by Close, or because the gateway said not to come back
)

// String names the state.
func (s State) String() string {
	switch s {
	case StateConnecting:
		return "connecting"
	case StateConnected:
		return "connected"
	case StateWaiting:
		return "waiting"
	case StateClosed:
		return "closed"
	}
	return "unknown"
}

// StateChange tells of a new state and what led to it.
type StateChange struct {
	State     State
	Err       error         // why the line is down, in StateWaiting and StateClosed
	RetryIn   time.Duration // when it is dialled again, in StateWaiting
	SessionID string        // in StateConnected
	UserID    string        // whom the gateway takes us for, in StateConnected
	NodeID    string        // the gateway's node, in StateConnected
}
