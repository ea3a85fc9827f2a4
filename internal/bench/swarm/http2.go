package swarm

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/net/http2/hpack"
)

// What a client needs of HTTP/2 (RFC 9113) to have one stream on a connection.

// frameType is the type of a frame of HTTP/2.
type frameType byte

const (
	frameData     frameType = 0x0
	frameHeaders  frameType = 0x1
	frameReset    frameType = 0x3
	frameSettings frameType = 0x4
	framePing     frameType = 0x6
	frameGoAway   frameType = 0x7
	frameWindow   frameType = 0x8
)

const (
	flagAck        = 0x1  // of settings and pings
	flagEndStream  = 0x1  // of data and headers
	flagEndHeaders = 0x4  // of headers
	flagPadded     = 0x8  // of data and headers
	flagPriority   = 0x20 // of headers
)

const (
	preface         = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frameHead       = 9
	theStream       = 1       // the only one of a connection
	usualFrame      = 16_384  // how much a frame may carry as long as nothing else was agreed
	usualWindow     = 65_535  // how much may be under way as long as nothing else was agreed
	receiveWindow   = 8 << 20 // how much a server may send ahead; it is renewed when half of it has come
	settingPush     = 0x2
	settingWindow   = 0x4
	settingFrame    = 0x5
	bytesPerSetting = 6
)

// frame2 is a frame of HTTP/2.
type frame2 struct {
	kind    frameType
	flags   byte
	stream  uint32
	payload []byte
}

// appendHead2 appends what stands before the payload of a frame.
func appendHead2(dst []byte, kind frameType, flags byte, stream uint32, size int) []byte {
	dst = append(dst, byte(size>>16), byte(size>>8), byte(size), byte(kind), flags)
	return binary.BigEndian.AppendUint32(dst, stream)
}

// appendWindow lets the server send so many bytes more.
func appendWindow(dst []byte, stream uint32, more int) []byte {
	return binary.BigEndian.AppendUint32(appendHead2(dst, frameWindow, 0, stream, 4), uint32(more))
}

// readFrame2 takes the frame at the beginning of b. size is that of the whole frame, 0 while it is incomplete.
func readFrame2(b []byte) (f frame2, size int, err error) {
	if len(b) < frameHead {
		return frame2{}, 0, nil
	}
	n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	if n > usualFrame {
		return frame2{}, 0, fmt.Errorf("the server sent a frame of %d bytes: %d were agreed", n, usualFrame)
	}
	if len(b) < frameHead+n {
		return frame2{}, 0, nil
	}
	f = frame2{kind: frameType(b[3]), flags: b[4], stream: binary.BigEndian.Uint32(b[5:]) &^ (1 << 31), payload: b[frameHead : frameHead+n]}
	if f.kind <= frameHeaders && f.flags&(flagPadded|flagPriority) != 0 {
		return frame2{}, 0, fmt.Errorf("the server sent a frame with the flags %#x: padding and priorities are not for this tool", f.flags)
	}
	return f, frameHead + n, nil
}

// greeting2 is what every line begins with: the preface, the settings, and the headers that open a gRPC stream. The headers
// are packed for a connection that has not seen any.
func greeting2(o Options) []byte {
	b := appendHead2([]byte(preface), frameSettings, 0, 0, 2*bytesPerSetting)
	b = appendSetting(b, settingPush, 0)
	b = appendSetting(b, settingWindow, receiveWindow)
	b = appendWindow(b, 0, receiveWindow-usualWindow)
	host := o.Host
	if host == "" {
		host = o.Address.String()
	}
	var block bytes.Buffer
	packed := hpack.NewEncoder(&block)
	for _, field := range [...][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", o.Path},
		{":authority", host},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		_ = packed.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // into memory
	}
	return append(appendHead2(b, frameHeaders, flagEndHeaders, theStream, block.Len()), block.Bytes()...)
}

func appendSetting(dst []byte, id uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, id), value)
}
