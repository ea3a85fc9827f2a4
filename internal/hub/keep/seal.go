package keep

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"

	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	// sealBytes is how much of the HMAC a token carries: beyond guessing.
	sealBytes = 16
	// maxTokenBytes bounds the tokens that are looked at; those of this node are shorter.
	maxTokenBytes = 512
	// purpose keeps the tokens apart from whatever else the secret may be used for one day.
	purpose = "magpie resume 1\x00"
)

// Seal makes and opens resume tokens: the session's id, and an HMAC of it and its user under the node's secret. So nothing
// has to be remembered for a token. It is for one goroutine at a time.
type Seal struct {
	mac  hash.Hash
	text []byte // what the mac is of
	buf  []byte // the token before and after its encoding
}

func newSeal(secret []byte) *Seal { return &Seal{mac: hmac.New(sha256.New, secret)} }

// Token returns the token of a user's session. It is a secret: whoever has it, and the user's credential, has the session.
func (s *Seal) Token(id wire.SessionID, user string) string {
	s.buf = append(s.buf[:0], id...)
	s.buf = s.sum(s.buf, string(id), user)
	plain := len(s.buf)
	s.buf = base64.RawURLEncoding.AppendEncode(s.buf, s.buf[:plain])
	return string(s.buf[plain:])
}

// Open returns the session that a token is for, if it is the user's.
func (s *Seal) Open(token, user string) (id wire.SessionID, ok bool) {
	if len(token) > maxTokenBytes {
		return "", false
	}
	plain, err := base64.RawURLEncoding.AppendDecode(nil, []byte(token))
	if err != nil || len(plain) <= sealBytes {
		return "", false
	}
	name, given := string(plain[:len(plain)-sealBytes]), plain[len(plain)-sealBytes:]
	s.buf = s.sum(s.buf[:0], name, user)
	return wire.SessionID(name), subtle.ConstantTimeCompare(s.buf, given) == 1
}

// sum appends the seal of an id and a user. The id's length keeps the border between them.
func (s *Seal) sum(dst []byte, id, user string) []byte {
	s.text = append(s.text[:0], purpose...)
	s.text = append(s.text, byte(len(id)>>8), byte(len(id)))
	s.text = append(s.text, id...)
	s.text = append(s.text, user...)
	s.mac.Reset()
	s.mac.Write(s.text)
	start := len(dst)
	return s.mac.Sum(dst)[:start+sealBytes]
}
