package file

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/magpie-bridge/magpie/internal/source"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// From says where reading starts in the files that are there when the tailer starts; a positive number is that of the
// last lines of each. Files that appear later are read from their beginning.
type From int

// The other places to start from.
const (
	FromDefault   From = 0  // the last 1,000 lines
	FromEnd       From = -1 // only what is written from now on
	FromBeginning From = -2
)

// defaultLines is how many lines of the past FromDefault shows: some screens full, and well below a channel's retention.
const defaultLines = 1000

// ParseFrom reads "end", "beginning", or a number of lines.
func ParseFrom(s string) (From, error) {
	switch s {
	case "":
		return FromDefault, nil
	case "end", "0":
		return FromEnd, nil
	case "beginning":
		return FromBeginning, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("start at %q: expected end, beginning, or how many of the last lines of each file to read, such as 1000", s)
	}
	return From(n), nil
}

// Stdin is the path that means Options.Stdin.
const Stdin = "-"

// Options says what to follow, and where to publish it.
type Options struct {
	// Paths are files, patterns as of [path/filepath.Match], and [Stdin].
	Paths []string
	// Stdin is read when Paths has "-". Run ends when it ends, if nothing else is followed.
	Stdin io.Reader
	From  From

	// Keeper keeps how far each file was published, so that a tailer that is started again goes on there, whatever From
	// says. Nil: nothing is kept.
	Keeper Keeper

	Publisher source.Publisher
	Channel   wire.ChannelName

	// Service names the service of lines that do not tell it.
	Service string
	// Location is the zone of times that are written without one; nil is time.Local.
	Location *time.Location
	// Logger hears what cannot be followed, and why. Where the gateway's own log goes to Channel, it must be one whose
	// records are left out of that. Nil: nobody hears.
	Logger *slog.Logger
	// MaxFiles bounds the files that are open at once; 0 is 512.
	MaxFiles int
	// NoEvents leaves out file system events: each file is only looked at every 250 ms.
	NoEvents bool
	// DrainTimeout bounds how long Run goes on publishing after its context ended; 0 is 5 s.
	DrainTimeout time.Duration
}

// The defaults and limits of following.
const (
	defaultMaxFiles     = 512
	defaultDrainTimeout = 5 * time.Second
	pollInterval        = 250 * time.Millisecond
	scanInterval        = time.Second
	// orphanQuiet is how long a file without a name is still looked at: programs write to a rotated file until they
	// are told to open the new one.
	orphanQuiet = 30 * time.Second
)
