package magpieclient

import (
	"errors"
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// ErrClosed is what everything returns once the client, or the subscription, was closed by its owner.
var ErrClosed = errors.New("magpie: closed")

// Code is a canonical gRPC status code in lower case.
type Code string

// The codes that a gateway answers with.
const (
	CodeCanceled           Code = Code(wire.CodeCanceled)
	CodeUnknown            Code = Code(wire.CodeUnknown)
	CodeInvalidArgument    Code = Code(wire.CodeInvalidArgument)
	CodeDeadlineExceeded   Code = Code(wire.CodeDeadlineExceeded)
	CodeNotFound           Code = Code(wire.CodeNotFound)
	CodeAlreadyExists      Code = Code(wire.CodeAlreadyExists)
	CodePermissionDenied   Code = Code(wire.CodePermissionDenied)
	CodeResourceExhausted  Code = Code(wire.CodeResourceExhausted)
	CodeFailedPrecondition Code = Code(wire.CodeFailedPrecondition)
	CodeAborted            Code = Code(wire.CodeAborted)
	CodeOutOfRange         Code = Code(wire.CodeOutOfRange)
	CodeUnimplemented      Code = Code(wire.CodeUnimplemented)
	CodeInternal           Code = Code(wire.CodeInternal)
	CodeUnavailable        Code = Code(wire.CodeUnavailable)
	CodeDataLoss           Code = Code(wire.CodeDataLoss)
	CodeUnauthenticated    Code = Code(wire.CodeUnauthenticated)
)

// Error is what the gateway or a peer answered instead of doing what was asked. A [Handler] returns one to say why it
// does not.
type Error struct {
	Code       Code
	Message    string
	Retryable  bool
	RetryAfter time.Duration // how long to wait before asking again; 0 says nothing
	Details    []byte        // a JSON value, or nil
}

// Error shows the code and the sentence.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// CodeOf finds the code of the [Error] in err; it is empty when there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// CloseError tells with which WebSocket close code the gateway ended the line.
type CloseError struct {
	Code   int
	Reason string
}

// Error shows the code and, where there is one, the reason.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("the gateway closed the line (%d)", e.Code)
	}
	return fmt.Sprintf("the gateway closed the line (%d %s)", e.Code, e.Reason)
}

func errorOf(e *wire.Error) *Error {
	return &Error{
		Code:       Code(e.Code),
		Message:    e.Message,
		Retryable:  e.Retryable,
		RetryAfter: e.RetryAfter,
		Details:    e.Details,
	}
}

func errorf(code wire.Code, format string, args ...any) *Error {
	return errorOf(wire.Errorf(code, format, args...))
}
