// Package diskengine keeps channels on the disk of one machine, so that what was acknowledged outlives the process, or
// a loss of power: an [engine.Engine] on Pebble, a log-structured store. The logs in memory stay what readers read;
// the disk is where they come back from.
//
// # What is promised
//
// Each channel has a [Level]. A publish is answered, and its messages become readable, when they are as safe as that
// says: after a sync of the disk (Synced), in the hands of the kernel (Written), or in memory only (Memory). Epoch and
// offset never name two messages. The numbering of a Memory channel ends with the process; that of a channel whose
// latest messages were only Written ends when the machine was restarted without the store having been closed; the
// others go on for ever.
//
// # One committer
//
// All appends go through one goroutine, which takes what has gathered since its last round, numbers it, writes it as
// one batch, and waits for one sync. Pebble is always asked to sync, because without that it answers before the kernel
// has the bytes; the file system below it ([gate]) leaves the sync of the write-ahead log out while no Synced append
// is in the batch. The first Written append to a channel is synced all the same: it carries the note that numbers may
// be rolled back from then on. A log file that is finished is always synced, or the next one could outlive it.
//
// # Keys
//
//	F                      -> version of this layout
//	I                      -> incarnation: how often the store was opened, the boot it was in, whether it was closed,
//	                          and the last incarnation before which written data may have been rolled back
//	n name                 -> channel id, 8 bytes
//	m id                   -> meta: epoch, newest offset known, incarnation of the last Written append, name
//	c id                   -> when the channel was made; those of older versions have none
//	r id offset            -> record: CRC-32C, sum of the sizes up to and with it, the entry (channel.Entry)
//	C                      -> how many commits there were; the file commits beside Pebble's says the same
//	k key                  -> a value of somebody else's, such as how far a log file was read, or a session
//
// Numbers in keys are big endian, so that a channel's records lie together and in order. The sum in a record gives the
// size of any range by two reads, so that the retention finds its place by bisection. The checksum covers key and
// value, above Pebble's own on every block: what does not match is never served.
//
// # Loading
//
// A channel is loaded when it is first appended to or watched: its newest records, and the messageIds of its window. That is
// done by workers of which there are few; whoever must not wait for them asks with Prepare. One that nobody has used for a
// while is unloaded, and when the memory budget is spent, sooner. Opening a store costs the same however many channels are
// in it.
//
// A channel in memory keeps its newest 16 MiB there, less when the budget is spent. A cursor behind that reads on from disk
// ([channel.Store]): pages of 256 KiB, read by three workers, put below the log in memory, where all who read there share
// them and their encodings. Pages that nobody reads give way to others.
//
// A record that cannot be read ends what can be had of the channel before it: those who ask for that are given a gap with
// the reason damage.
//
// # Room
//
// Retention by count, size and age is enforced in the background, some channels a tick, by one range deletion each.
// MaxBytes bounds the directory: above it publishes to channels on disk are refused with resource_exhausted, until
// retention and compaction have brought it down to nine tenths. Nothing that was acknowledged gives way earlier than
// its retention says. When the disk itself is full, whatever Pebble writes waits at the gate until there is room, and
// publishes are refused meanwhile. Any other failure to write ends the store: everything is refused with the cause,
// the gateway's readiness says so, and a restart is needed; the process goes on serving what it has in memory.
//
//	options.go    Options, Level
//	engine.go     Engine: Append, Watch, Read, Stats, Close
//	open.go       opening a directory, and what a user is told when it cannot be
//	keys.go       keys, and the values under them
//	topic.go      a channel as the engine has it, and the map of those loaded
//	queue.go      appends on their way to the committer
//	commit.go     the committer
//	tally.go      the count of commits, by which a lost end is noticed
//	load.go       bringing a channel back into memory
//	sweep.go      retention on disk, unloading, the bound of the directory
//	expire.go     channels that are gone some time after they were used last
//	relief.go     what leaves memory when the budget is spent
//	cold.go       pages for cursors that are behind memory
//	read.go       pages of records
//	list.go       which channels there are
//	workers.go    the goroutines that wait for the disk
//	gate.go       the file system below Pebble: syncs left out, a full disk waited for
//	failure.go    a store that cannot go on
//	values.go     small values of others
package diskengine
