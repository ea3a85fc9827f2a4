// Package file follows log files and publishes what is written to them, record by record.
//
// Two goroutines share the work, however many files there are. The watcher keeps the list of files: it expands the
// patterns every second and when a directory changes, opens what is new and notices what was renamed or deleted, even
// while publishing is held up. The reader reads the files that changed, in the order of the list, and publishes.
// File system events are only a doorbell: every file is looked at four times a second anyway.
//
// An open file is a [generation] of a path's log. It is read to its end before the generation that follows it at the
// same path, and is let go when it has no name any more and nothing was written to it for a while. A file that was
// truncated begins a new generation in place; that is noticed by its size, by its first 256 bytes, and by the last
// 64 bytes that were read, which every read reads again.
//
// # Message ids
//
// A record's message id is f<file>-<offset>-<length>-<checksum>: the offset and the length of its text in the file and the
// CRC-32C of the text, in hexadecimal, behind the first 16 hexadecimal digits of a SHA-256 of the file's device, inode,
// time of birth (where the file system knows it), and first line (at most 256 bytes of it). So a tailer that is restarted
// and reads lines again publishes them with the ids that they had, and they are recognised. If a second generation with
// the same identity appears while the tailer runs (a file truncated, with the same first line as before), the time at
// which it was noticed goes into its ids too: rather shown twice after a restart than taken for a duplicate.
//
//	options.go     Options, From
//	tailer.go      Tailer: New, Run, Stats
//	watcher.go     the list of files: events and polling
//	scan.go        the list of files: patterns, renames, what a rotation left behind
//	skip.go        what is no log
//	reader.go      reading in turn, and publishing
//	generation.go  one open file: reading on, noticing truncation
//	start.go       where to start in a file
//	positions.go   how far files were published, over a restart
//	identity.go    which file it is, with identity_linux.go and its like; message ids
//	stdin.go       standard input
package file
