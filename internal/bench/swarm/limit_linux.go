package swarm

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// raiseFileLimit lifts the soft limit of open files to the hard one, or to what MaxLines needs.
func raiseFileLimit() error {
	const needed = MaxLines + 500
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("look up the limit of open files: %w", err)
	}
	if limit.Cur >= needed || limit.Cur >= limit.Max {
		return nil
	}
	limit.Cur = min(limit.Max, needed)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files to %d: %w", limit.Cur, err)
	}
	return nil
}
