package session

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Line is the connection beneath a session. Its methods never block and never call back into the session.
type Line interface {
	// Write passes finished frames on, those of all parts at once, and keeps none of them. n below the length of all without
	// an error means that there is no room: Session.Writable will follow. After an error Session.Closed follows.
	Write(parts [][]byte) (n int, err error)
	// SetTimer sets when Session.Timer is called; it replaces the time set before.
	SetTimer(at time.Time)
	// SetReading stops and resumes the frames that come in.
	SetReading(on bool)
	// Shutdown ends the sending side: the client sees that nothing more comes.
	Shutdown()
	// Close ends the line at once; Session.Closed follows.
	Close()
}

// Format lays frames down as the line carries them. It is stateless. ID is that of the same format in the channels'
// space.
type Format interface {
	ID() channel.FormatID
	Codec() wire.Codec
	AppendFrame(dst []byte, f *wire.Frame) []byte
	// AppendPing appends what makes the client show that it lives.
	AppendPing(dst []byte) []byte
	// AppendClose appends what ends the line with a code, where the line knows such a thing.
	AppendClose(dst []byte, code wire.CloseCode, reason string) []byte
}
