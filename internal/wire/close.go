package wire

// CloseCode is a WebSocket close code (RFC 6455, section 7.4). 4000 to 4499 say "reconnect", 4500 to 4999 "do not".
type CloseCode uint16

// The close codes of RFC 6455 that the gateway sends.
const (
	CloseNormal          CloseCode = 1000
	CloseGoingAway       CloseCode = 1001
	CloseProtocolError   CloseCode = 1002
	CloseUnsupportedData CloseCode = 1003
	CloseInvalidPayload  CloseCode = 1007
	CloseTooBig          CloseCode = 1009
	CloseInternal        CloseCode = 1011
)

// The close codes of Magpie.
const (
	CloseConnectTimeout CloseCode = 4001 // no connect frame in time
	CloseIdle           CloseCode = 4002 // nothing was heard within the heartbeat timeout
	CloseWriteTimeout   CloseCode = 4003 // the client took no byte for too long
	CloseSlow           CloseCode = 4004 // a subscription stayed further behind than its channel allows
	CloseExpired        CloseCode = 4005 // the credential expired: fetch a new one and reconnect
	CloseDraining       CloseCode = 4008 // the node is shutting down
	CloseTakenOver      CloseCode = 4009 // the session goes on on another line
	CloseSentAway       CloseCode = 4010 // disconnected by an operator, who does not mind that the client comes back
	CloseUserFull       CloseCode = 4011 // the user has as many sessions as one may have
	CloseMalformed      CloseCode = 4500 // too many frames that could not be understood
	CloseUnauthorized   CloseCode = 4501 // the credential was refused
	CloseForbidden      CloseCode = 4503 // disconnected by an operator
)

// Reconnect reports whether a client that was closed with this code should come back by itself.
func (c CloseCode) Reconnect() bool {
	switch c {
	case CloseProtocolError, CloseUnsupportedData, CloseInvalidPayload, CloseTooBig:
		return false
	default:
		return c < 4500
	}
}
