//go:build !linux

package netloop

import "errors"

// newEpoll reports that this system has no epoll; the goroutine driver serves all connections.
func newEpoll(*Loop) (poller, error) { return nil, errors.ErrUnsupported }
