package target

import "strconv"

// limit speaks to bench/limit: a letter for what is wanted, the channel's number, a space, the payload. What the limit
// sends looks like Magpie's frames to the byte, so that both send the same lengths and are parsed alike.
type limit struct{ magpie }

func (l *limit) Upgrade() Upgrade { return Upgrade{Path: pathOr(l.opts.Path, "/")} }

func (l *limit) Append(dst []byte, c Command) []byte {
	switch c.Kind {
	case Connect, Listen, Pong, Prepare, Store, Attend, Serve, Call, Answer, Batch: // from Prepare on they are not measured
		return dst
	case Subscribe:
		return append(strconv.AppendInt(append(dst, 'S'), int64(c.Channel), 10), ' ')
	case Publish:
		return append(append(strconv.AppendInt(append(dst, 'P'), int64(c.Channel), 10), ' '), c.Payload...)
	case Echo:
		return append(append(dst, "E0 "...), c.Payload...)
	}
	return dst
}
