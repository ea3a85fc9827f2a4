package wire

// Decoder turns bytes into frames. Its memory is reused from frame to frame, so one decoder serves many lines, but
// one goroutine at a time. The zero value is ready.
type Decoder struct {
	json   jsonReader
	proto  protoReader
	bodies bodies
}

// Decode reads one frame into f. The body belongs to the decoder and is valid until its next call, and so are the
// bytes of a payload, which may alias data. Everything else is safe to keep: strings, tags, lists, errors.
//
// A failure is an [*Error]: invalid_argument with a sentence that names the field and the place, or unimplemented for
// a type that is not known. f.RequestID is set even then, whenever it could be read, so that it can be answered.
func (d *Decoder) Decode(c Codec, data []byte, f *Frame) error {
	*f = Frame{}
	if c == Protobuf {
		return d.proto.decode(data, f, &d.bodies)
	}
	return d.json.decode(data, f, &d.bodies)
}

// DecodeBody reads the JSON of a body without type and requestId into b, which is zero. It fails as Decode does.
func (d *Decoder) DecodeBody(data []byte, b Body) error { return d.json.decodeBody(data, b) }

// bodies has one body of each type to decode into.
type bodies struct {
	connect      Connect
	connected    Connected
	subscribe    Subscribe
	subscribed   Subscribed
	unsubscribe  Unsubscribe
	unsubscribed Unsubscribed
	publish      Publish
	published    Published
	message      Message
	position     PositionUpdate
	gap          Gap
	call         Call
	reply        Reply
	progress     Progress
	credit       Credit
	cancel       Cancel
	ping         Ping
	pong         Pong
	goodbye      Goodbye
	history      History
	page         Page
	serve        Serve
	served       Served
	unserve      Unserve
	unserved     Unserved
	presence     Presence
	members      Members
}

// take returns the body of that type, which is known, as a zero value.
func (b *bodies) take(t Type) Body {
	switch t {
	case TypeConnect:
		return cleared(&b.connect)
	case TypeConnected:
		return cleared(&b.connected)
	case TypeSubscribe:
		return cleared(&b.subscribe)
	case TypeSubscribed:
		return cleared(&b.subscribed)
	case TypeUnsubscribe:
		return cleared(&b.unsubscribe)
	case TypeUnsubscribed:
		return cleared(&b.unsubscribed)
	case TypePublish:
		return cleared(&b.publish)
	case TypePublished:
		return cleared(&b.published)
	case TypeMessage:
		return cleared(&b.message)
	case TypePosition:
		return cleared(&b.position)
	case TypeGap:
		return cleared(&b.gap)
	case TypeCall:
		return cleared(&b.call)
	case TypeReply:
		return cleared(&b.reply)
	case TypeProgress:
		return cleared(&b.progress)
	case TypeCredit:
		return cleared(&b.credit)
	case TypeCancel:
		return cleared(&b.cancel)
	case TypePing:
		return cleared(&b.ping)
	case TypePong:
		return cleared(&b.pong)
	case TypeGoodbye:
		return cleared(&b.goodbye)
	case TypeHistory:
		return cleared(&b.history)
	case TypePage:
		return cleared(&b.page)
	case TypeServe:
		return cleared(&b.serve)
	case TypeServed:
		return cleared(&b.served)
	case TypeUnserve:
		return cleared(&b.unserve)
	case TypeUnserved:
		return cleared(&b.unserved)
	case TypePresence:
		return cleared(&b.presence)
	case TypeMembers:
		return cleared(&b.members)
	case TypeError: // kept by those who receive it
	}
	return new(Error)
}

// cleared sets v to its zero value.
func cleared[T any, P interface {
	*T
	Body
}](v P) Body {
	*v = *new(T)
	return v
}
