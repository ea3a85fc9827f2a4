// Package process looks at another process from outside, through Linux's /proc: the processor time it used, the memory
// it has, and which one listens on a port.
package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc/PID/stat. Linux shows 100 a second to programs whatever the kernel counts in.
const clockTick = 10 * time.Millisecond

// Usage is what a process used and has.
type Usage struct {
	CPU       time.Duration // user and system time since it began
	Resident  int64         // bytes of memory that are its own or shared
	Anonymous int64         // bytes of memory that are its own alone: heap and stacks
}

// Observer looks at processes. FS is /proc; its zero value looks at that of this machine.
type Observer struct{ FS fs.FS }

func (o Observer) read(name string) (string, error) {
	root := o.FS
	if root == nil {
		root = os.DirFS("/proc")
	}
	data, err := fs.ReadFile(root, name)
	return string(data), err
}

// Look returns what a process used until now.
func (o Observer) Look(pid int) (Usage, error) {
	stat, err := o.read(path.Join(strconv.Itoa(pid), "stat"))
	if err != nil {
		return Usage{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	var u Usage
	if u.CPU, err = cpuTime(stat); err != nil {
		return Usage{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	status, err := o.read(path.Join(strconv.Itoa(pid), "status"))
	if err != nil {
		return Usage{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	u.Resident, u.Anonymous = kibibytes(status, "VmRSS:"), kibibytes(status, "RssAnon:")
	return u, nil
}

// Kernel returns the bytes that the machine's kernel has in slabs, which is where sockets are, and in the buffers of TCP
// sockets; 0 where it does not tell.
func (o Observer) Kernel() int64 {
	memory, err := o.read("meminfo")
	if err != nil {
		return 0
	}
	sum := kibibytes(memory, "Slab:")
	sockets, err := o.read("net/sockstat")
	if err != nil {
		return sum
	}
	_, tcp, _ := strings.Cut(sockets, "TCP: ")
	_, pages, _ := strings.Cut(tcp, " mem ")
	first, _, _ := strings.Cut(pages, "\n")
	if n, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64); err == nil {
		sum += n * int64(os.Getpagesize())
	}
	return sum
}

// cpuTime reads utime and stime, which stand 12th and 13th behind the name, the only field that may contain anything.
func cpuTime(stat string) (time.Duration, error) {
	const user, system = 11, 12
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= system {
		return 0, errors.New("its stat is too short")
	}
	var ticks int64
	for _, field := range []string{fields[user], fields[system]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("its stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// kibibytes reads a line such as "RssAnon:	    1234 kB"; 0 when there is none.
func kibibytes(status, name string) int64 {
	for line := range strings.Lines(status) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0
		}
		return n << 10
	}
	return 0
}

// Listening finds the process that listens on a TCP port. ok is false when there is none, or none that this user may
// look at.
func (o Observer) Listening(port uint16) (pid int, ok bool) {
	sockets := make(map[string]bool)
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		if text, err := o.read(table); err == nil {
			listeners(sockets, text, port)
		}
	}
	if len(sockets) == 0 {
		return 0, false
	}
	root := o.FS
	if root == nil {
		root = os.DirFS("/proc")
	}
	processes, err := fs.ReadDir(root, ".")
	if err != nil {
		return 0, false
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		folder := path.Join(p.Name(), "fd")
		files, _ := fs.ReadDir(root, folder) // those of other users cannot be read, and are passed over
		for _, file := range files {
			if to, err := fs.ReadLink(root, path.Join(folder, file.Name())); err == nil && sockets[to] {
				return pid, true
			}
		}
	}
	return 0, false
}

// listeners collects the listening sockets of a port from a table of sockets, in the form in which they appear as
// descriptors.
func listeners(into map[string]bool, table string, port uint16) {
	const local, state, inode, listening = 1, 3, 9, "0A"
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) > inode && strings.HasSuffix(fields[local], suffix) && fields[state] == listening {
			into["socket:["+fields[inode]+"]"] = true
		}
	}
}
