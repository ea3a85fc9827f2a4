package config

import (
	"os"
	"strconv"
	"strings"
)

// The bounds of what the logs may hold where the configuration does not say: less would not carry a burst, more should
// be somebody's decision.
const (
	minLogBytes = 64 * MiB
	maxLogBytes = 4 * GiB
)

// logBudget is a quarter of the memory there is; the rest is for sessions, buffers and the collector. Where it is not
// known it is the least.
func logBudget(memory Size) Size {
	return min(max(memory/4, minLogBytes), maxLogBytes)
}

// availableMemory is that of the machine or of the container, whichever is less; 0 where neither can be found out.
func availableMemory() Size {
	least := totalMemory(readText("/proc/meminfo"))
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		limit, err := strconv.ParseInt(strings.TrimSpace(readText(path)), 10, 64)
		if err == nil && limit > 0 && (least == 0 || Size(limit) < least) {
			least = Size(limit)
		}
	}
	return least
}

// totalMemory finds the line "MemTotal: 8041452 kB".
func totalMemory(meminfo string) Size {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "MemTotal:" {
			continue
		}
		if kib, err := strconv.ParseInt(fields[1], 10, 53); err == nil {
			return Size(kib) * KiB
		}
	}
	return 0
}

func readText(path string) string {
	data, err := os.ReadFile(path) //nolint:gosec // the paths are those of this file
	if err != nil {
		return ""
	}
	return string(data)
}
