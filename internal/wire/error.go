package wire

import (
	"errors"
	"fmt"
	"time"
)

// Code is a canonical gRPC status code in lower case.
type Code string

// The codes that Magpie uses; SPEC.md says when.
const (
	CodeCanceled           Code = "canceled"
	CodeUnknown            Code = "unknown"
	CodeInvalidArgument    Code = "invalid_argument"
	CodeDeadlineExceeded   Code = "deadline_exceeded"
	CodeNotFound           Code = "not_found"
	CodeAlreadyExists      Code = "already_exists"
	CodePermissionDenied   Code = "permission_denied"
	CodeResourceExhausted  Code = "resource_exhausted"
	CodeFailedPrecondition Code = "failed_precondition"
	CodeAborted            Code = "aborted"
	CodeOutOfRange         Code = "out_of_range"
	CodeUnimplemented      Code = "unimplemented"
	CodeInternal           Code = "internal"
	CodeUnavailable        Code = "unavailable"
	CodeDataLoss           Code = "data_loss"
	CodeUnauthenticated    Code = "unauthenticated"
)

// Error is a failure as it crosses the wire. It is both a frame body and a Go error; treat it as immutable once
// returned.
type Error struct {
	Code       Code
	Message    string
	Retryable  bool
	RetryAfter time.Duration // whole milliseconds on the wire; 0 says nothing
	Details    []byte        // a JSON value, or nil
}

// Errorf makes an [Error]. Codes that by their nature may pass (unavailable, resource_exhausted, aborted) are
// retryable.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{
		Code:      code,
		Message:   fmt.Sprintf(format, args...),
		Retryable: code == CodeUnavailable || code == CodeResourceExhausted || code == CodeAborted,
	}
}

// Error shows the code and the sentence.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Known returns the error with a code that is one of those above: what a peer made up becomes unknown.
func (e *Error) Known() *Error {
	switch e.Code {
	case CodeCanceled, CodeUnknown, CodeInvalidArgument, CodeDeadlineExceeded, CodeNotFound, CodeAlreadyExists,
		CodePermissionDenied, CodeResourceExhausted, CodeFailedPrecondition, CodeAborted, CodeOutOfRange, CodeUnimplemented,
		CodeInternal, CodeUnavailable, CodeDataLoss, CodeUnauthenticated:
		return e
	}
	known := *e
	known.Code = CodeUnknown
	return &known
}

// AsError finds the [Error] in err. Any other error becomes internal, with a message that tells the peer nothing
// about the inside.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Errorf(CodeInternal, "the gateway failed to handle this request; its log tells why")
}
