package keep

import "sync/atomic"

// Metrics counts sessions that were to outlive their lines. All from Resumed on add up to the attempts to
// resume.
type Metrics struct {
	Kept    atomic.Int64 // now, in memory
	Saved   atomic.Int64 // written to disk, each time
	Resumed atomic.Int64 // was kept in memory
	Fenced  atomic.Int64 // lived on another line, which was closed
	Loaded  atomic.Int64 // was on disk, from before a restart
	Gone    atomic.Int64 // is not kept any more, or has ended
	Refused atomic.Int64 // the token is not one of this node for this user
}
