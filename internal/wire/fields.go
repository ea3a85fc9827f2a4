package wire

import (
	"bytes"
	"math"
	"time"
)

// The fields of every frame. The order is that of the JSON; numbers and names are those of frame.proto.

// Type is TypeConnect.
func (*Connect) Type() Type { return TypeConnect }

func (b *Connect) fields(c coder) {
	c.text(at(1, "token"), &b.Token)
	optional(c, at(2, "resume"), &b.Resume)
	c.record(at(3, "client"), (*connectClient)(b), b.ClientName != "" || b.ClientVersion != "")
	c.text(at(4, "device"), &b.Device)
}

// connectClient is the part of Connect that stands under "client".
type connectClient Connect

func (b *connectClient) fields(c coder) {
	c.text(at(1, "name"), &b.ClientName)
	c.text(at(2, "version"), &b.ClientVersion)
}

func (b *Resume) fields(c coder) {
	c.text(at(1, "token"), &b.Token)
	c.table(at(2, "positions"), (*positions)(&b.Positions))
}

func (b *ChannelPosition) fields(c coder) {
	c.text(entryKey(0), (*string)(&b.Channel))
	c.record(entryValue(0), &b.Position, true)
}

func (b *Position) fields(c coder) {
	c.text(at(1, "epoch").always(), (*string)(&b.Epoch))
	c.number(at(2, "offset").always(), (*uint64)(&b.Offset))
}

// Type is TypeConnected.
func (*Connected) Type() Type { return TypeConnected }

func (b *Connected) fields(c coder) {
	c.text(at(1, "sessionId"), (*string)(&b.SessionID))
	c.text(at(2, "resumeToken"), &b.ResumeToken)
	c.text(at(3, "userId"), &b.UserID)
	c.text(at(4, "nodeId"), &b.NodeID)
	c.flag(at(5, "resumed").always(), &b.Resumed)
	c.integer(at(6, "serverTime"), &b.ServerTime)
	c.integer(at(7, "expiresAt"), &b.ExpiresAt)
	c.record(at(8, "heartbeat"), (*connectedHeartbeat)(b), b.HeartbeatInterval != 0 || b.HeartbeatTimeout != 0)
	c.record(at(9, "limits"), (*connectedLimits)(b), b.MaxFrameBytes != 0 || b.MaxSubscriptions != 0)
}

// connectedHeartbeat is the part of Connected that stands under "heartbeat".
type connectedHeartbeat Connected

func (b *connectedHeartbeat) fields(c coder) {
	c.integer(at(1, "intervalMs"), &b.HeartbeatInterval)
	c.integer(at(2, "timeoutMs"), &b.HeartbeatTimeout)
}

// connectedLimits is the part of Connected that stands under "limits".
type connectedLimits Connected

func (b *connectedLimits) fields(c coder) {
	c.integer(at(1, "frameBytes"), &b.MaxFrameBytes)
	c.integer(at(2, "subscriptions"), &b.MaxSubscriptions)
}

// Type is TypeSubscribe.
func (*Subscribe) Type() Type { return TypeSubscribe }

func (b *Subscribe) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	startOf(c, at(2, "from"), &b.From)
	c.text(at(3, "filter"), &b.Filter)
	c.table(at(4, "positions"), (*positions)(&b.Positions))
	c.flag(at(5, "excludeSelf"), &b.ExcludeSelf)
	c.flag(at(7, "conflate"), &b.Conflate)
	value(c, at(6, "info"), &b.Info, MaxInfoBytes)
}

// startOf shows a start that may be missing, and refuses one that says nothing, or too much.
func startOf(c coder, from field, s *Start) {
	c.record(from, s, s.Kind != StartNow)
	switch {
	case s.Kind == startMixed:
		c.refuse(from, "mixes forms of a start: expected only one of {epoch, offset}, {offset}, {last} and {time}")
	case s.Kind == StartNow && c.has(from):
		c.refuse(from, "names no start: expected {epoch, offset}, {offset}, {last} or {time}")
	}
}

func (b *Start) fields(c coder) {
	offset, last, start := at(2, "offset").explicitly(), at(3, "last").explicitly(), at(4, "time").explicitly()
	if epoch := at(1, "epoch"); b.Kind == StartPosition || c.has(epoch) {
		c.text(epoch, (*string)(&b.Epoch))
	}
	if b.Kind == StartPosition || b.Kind == StartOffset || c.has(offset) {
		c.number(offset, (*uint64)(&b.Offset))
	}
	if b.Kind == StartLast || c.has(last) {
		c.number(last, &b.Last)
	}
	if b.Kind == StartTime || c.has(start) {
		c.integer(start, &b.Time)
	}
	b.choose(c.has(offset), c.has(last), c.has(start))
}

// startMixed is the kind of a start that was given in more than one form, until it is refused.
const startMixed StartKind = 255

// choose finds the kind of a start from the fields that a decoder met. An encoder met none.
func (b *Start) choose(offset, last, start bool) {
	forms := 0
	if offset {
		b.Kind, forms = StartOffset, forms+1
		if b.Epoch != "" {
			b.Kind = StartPosition
		}
	}
	if last {
		b.Kind, forms = StartLast, forms+1
	}
	if start {
		b.Kind, forms = StartTime, forms+1
	}
	if forms > 1 || forms == 1 && !offset && b.Epoch != "" {
		b.Kind = startMixed
	}
}

// Type is TypeSubscribed.
func (*Subscribed) Type() Type { return TypeSubscribed }

func (b *Subscribed) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	c.record(at(2, "position"), &b.Position, true)
	c.number(at(3, "tail").always(), (*uint64)(&b.Tail))
	c.flag(at(4, "recovered").always(), &b.Recovered)
	c.text(at(5, "pattern"), (*string)(&b.Pattern))
}

// Type is TypeUnsubscribe.
func (*Unsubscribe) Type() Type { return TypeUnsubscribe }

func (b *Unsubscribe) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
}

// Type is TypeUnsubscribed.
func (*Unsubscribed) Type() Type { return TypeUnsubscribed }

func (b *Unsubscribed) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	c.text(at(2, "code"), (*string)(&b.Code))
	c.text(at(3, "reason"), &b.Reason)
}

// Type is TypePublish.
func (*Publish) Type() Type { return TypePublish }

func (b *Publish) fields(c coder) {
	c.text(at(5, "channel"), (*string)(&b.Channel))
	b.Publication.fields(c)
	messages := at(6, "messages")
	c.list(messages, (*publications)(&b.Messages))
	if c.has(messages) && len(b.Messages) == 0 {
		c.refuse(messages, "is empty: expected at least one message")
	}
	if len(b.Messages) > 0 && b.single() {
		c.refuse(messages, "stands beside the fields of a single message: expected messageId, key, tags, meta and the payload inside messages")
	}
}

// single reports whether anything of a single message is set.
func (b *Publish) single() bool {
	return b.MessageID != "" || b.Key != "" || len(b.Tags) > 0 || len(b.Meta) > 0 || b.Payload.Kind != PayloadNone
}

func (b *Publication) fields(c coder) {
	c.text(at(1, "messageId").atMost(MaxMessageIDBytes), &b.MessageID)
	c.text(at(2, "key").atMost(MaxKeyBytes), &b.Key)
	c.table(at(3, "tags"), &b.Tags)
	c.table(at(4, "meta"), &b.Meta)
	payload(c, &b.Payload)
}

func (p *Pair) fields(c coder) {
	c.text(entryKey(MaxPairKeyBytes), &p.Key)
	c.text(entryValue(MaxPairValueBytes), &p.Value)
}

// Type is TypePublished.
func (*Published) Type() Type { return TypePublished }

func (b *Published) fields(c coder) {
	if len(b.Results) == 0 {
		b.position(c)
	}
	c.list(at(3, "results"), (*results)(&b.Results))
	if c.has(at(3, "results")) && len(b.Results) > 0 {
		b.PublishResult = PublishResult{}
	}
}

func (b *PublishResult) fields(c coder) {
	failure := at(3, "error")
	optional(c, failure, &b.Err)
	if b.Err == nil || c.has(failure) {
		b.position(c)
	}
	if c.has(failure) && b.Err != nil {
		b.Position, b.Duplicate = Position{}, false // what was refused stands nowhere
	}
}

// position shows where the message stands: what a result has that is not an error.
func (b *PublishResult) position(c coder) {
	c.record(at(1, "position"), &b.Position, true)
	c.flag(at(2, "duplicate").always(), &b.Duplicate)
}

// Type is TypeMessage.
func (*Message) Type() Type { return TypeMessage }

func (b *Message) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	c.number(at(2, "offset").always(), (*uint64)(&b.Offset))
	c.number(at(3, "prev"), (*uint64)(&b.Prev))
	c.text(at(4, "messageId").atMost(MaxMessageIDBytes), &b.MessageID)
	c.text(at(5, "key").atMost(MaxKeyBytes), &b.Key)
	c.text(at(6, "publisher"), &b.Publisher)
	c.integer(at(7, "timestamp"), &b.Timestamp)
	c.table(at(8, "tags"), &b.Tags)
	c.table(at(9, "meta"), &b.Meta)
	payload(c, &b.Payload)
}

// Type is TypePosition.
func (*PositionUpdate) Type() Type { return TypePosition }

func (b *PositionUpdate) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	c.record(at(2, "position"), &b.Position, true)
}

// Type is TypeGap.
func (*Gap) Type() Type { return TypeGap }

func (b *Gap) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	c.text(at(2, "epoch"), (*string)(&b.Epoch))
	c.number(at(3, "fromOffset").always(), (*uint64)(&b.FromOffset))
	c.number(at(4, "toOffset").always(), (*uint64)(&b.ToOffset))
	c.text(at(5, "reason"), &b.Reason)
}

// Type is TypeHistory.
func (*History) Type() Type { return TypeHistory }

func (b *History) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	startOf(c, at(2, "from"), &b.From)
	c.integer(at(3, "limit").atMost(MaxPage), &b.Limit)
	c.flag(at(4, "reverse"), &b.Reverse)
}

// Type is TypePage.
func (*Page) Type() Type { return TypePage }

func (b *Page) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	c.text(at(2, "epoch"), (*string)(&b.Epoch))
	c.number(at(3, "head").always(), (*uint64)(&b.Head))
	c.number(at(4, "tail").always(), (*uint64)(&b.Tail))
	optional(c, at(5, "gap"), &b.Gap)
	c.list(at(6, "messages").always(), (*messages)(&b.Messages))
	optional(c, at(7, "next"), &b.Next)
}

// Type is TypeServe.
func (*Serve) Type() Type { return TypeServe }

func (b *Serve) fields(c coder) {
	c.text(at(1, "method").atMost(MaxMethodBytes), &b.Method)
	c.integer(at(2, "concurrency").atMost(MaxConcurrency), &b.Concurrency)
}

// Type is TypeServed.
func (*Served) Type() Type { return TypeServed }

func (b *Served) fields(c coder) { c.text(at(1, "method").atMost(MaxMethodBytes), &b.Method) }

// Type is TypeUnserve.
func (*Unserve) Type() Type { return TypeUnserve }

func (b *Unserve) fields(c coder) { c.text(at(1, "method").atMost(MaxMethodBytes), &b.Method) }

// Type is TypeUnserved.
func (*Unserved) Type() Type { return TypeUnserved }

func (b *Unserved) fields(c coder) {
	c.text(at(1, "method").atMost(MaxMethodBytes), &b.Method)
	c.text(at(2, "code"), (*string)(&b.Code))
	c.text(at(3, "reason"), &b.Reason)
}

// Type is TypeCall.
func (*Call) Type() Type { return TypeCall }

func (b *Call) fields(c coder) {
	c.text(at(1, "method").atMost(MaxMethodBytes), &b.Method)
	c.text(at(2, "to").atMost(MaxTargetBytes), &b.To)
	c.integer(at(3, "timeoutMs"), &b.TimeoutMs)
	c.table(at(4, "meta"), &b.Meta)
	c.record(at(5, "caller"), (*callCaller)(b), b.CallerID != "" || b.CallerSID != "")
	c.text(at(6, "device").atMost(MaxTargetBytes), &b.Device)
	answers := at(7, "answers")
	c.text(answers, &b.Answers)
	if c.has(answers) && b.Answers != "" && b.Answers != AnswersFirst && b.Answers != AnswersAll {
		c.refuse(answers, `is neither "first" nor "all"`)
	}
	payload(c, &b.Payload)
}

// callCaller is the part of Call that stands under "caller".
type callCaller Call

func (b *callCaller) fields(c coder) {
	c.text(at(1, "userId"), &b.CallerID)
	c.text(at(2, "sessionId"), (*string)(&b.CallerSID))
}

// Type is TypeReply.
func (*Reply) Type() Type { return TypeReply }

func (b *Reply) fields(c coder) {
	c.table(at(4, "meta"), &b.Meta)
	c.integer(at(5, "asked"), &b.Asked)
	c.list(at(6, "answers"), (*answers)(&b.Answers))
	payload(c, &b.Payload)
}

func (b *Answer) fields(c coder) {
	c.text(at(1, "userId"), &b.UserID)
	c.text(at(2, "sessionId"), (*string)(&b.SessionID))
	c.text(at(3, "device"), &b.Device)
	optional(c, at(4, "error"), &b.Err)
	payload(c, &b.Payload)
}

// Type is TypeProgress.
func (*Progress) Type() Type { return TypeProgress }

func (b *Progress) fields(c coder) { payload(c, &b.Payload) }

// Type is TypeCredit.
func (*Credit) Type() Type { return TypeCredit }

func (b *Credit) fields(c coder) { c.integer(at(1, "count"), &b.Count) }

// Type is TypeCancel.
func (*Cancel) Type() Type { return TypeCancel }

func (*Cancel) fields(coder) {}

// Type is TypeError.
func (*Error) Type() Type { return TypeError }

func (e *Error) fields(c coder) {
	c.text(at(1, "code"), (*string)(&e.Code))
	c.text(at(2, "message"), &e.Message)
	c.flag(at(3, "retryable"), &e.Retryable)
	after := at(4, "retryAfterMs").atMost(uint64(math.MaxInt64 / time.Millisecond))
	ms := e.RetryAfter.Milliseconds()
	c.integer(after, &ms)
	if c.has(after) {
		e.RetryAfter = time.Duration(ms) * time.Millisecond
	}
	value := Payload{Bytes: e.Details}
	if len(e.Details) > 0 {
		value.Kind = PayloadJSON
	}
	details := at(5, "details")
	c.form(details, PayloadJSON, &value)
	if c.has(details) {
		e.Details = bytes.Clone(value.Bytes) // an error outlives the input it came in
	}
}

// Type is TypePing.
func (*Ping) Type() Type { return TypePing }

func (*Ping) fields(coder) {}

// Type is TypePong.
func (*Pong) Type() Type { return TypePong }

func (*Pong) fields(coder) {}

// Type is TypeGoodbye.
func (*Goodbye) Type() Type { return TypeGoodbye }

func (b *Goodbye) fields(c coder) {
	code := at(1, "code").atMost(math.MaxUint16)
	n := uint64(b.Code)
	c.number(code, &n)
	if c.has(code) && n <= math.MaxUint16 {
		b.Code = CloseCode(n)
	}
	c.text(at(2, "reason"), &b.Reason)
	c.integer(at(3, "retryAfterMs"), &b.RetryAfterMs)
}

// payload shows the three forms, of which a frame has at most one.
func payload(c coder, p *Payload) {
	c.form(at(13, "data"), PayloadJSON, p)
	c.form(at(14, "text"), PayloadText, p)
	c.form(at(15, "base64"), PayloadBytes, p)
}

// optional shows a record that may be missing altogether.
func optional[T any, P interface {
	*T
	record
}](c coder, f field, r *P) {
	if *r == nil && c.has(f) {
		*r = new(T)
	}
	if *r != nil {
		c.record(f, *r, true)
	}
}
