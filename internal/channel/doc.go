// Package channel holds the log that a channel is, and the reading of it.
//
// A [Log] is append-only: every entry gets the next offset, and an epoch names the numbering. Entries lie in chunks,
// back to back, in a compact form of their own. Whoever delivers them asks for [Log.Frames]: the entries from an
// offset on, as finished frames of one format, contiguous, ready for a single write. Each chunk keeps such a view for
// each format that somebody reads, extends it as entries arrive, and loses it when nobody reads it any more; so an
// entry is encoded once for each format and not once for each subscriber, and a channel nobody reads costs no
// encoding at all.
//
// Writers take the log's mutex. Readers take no lock: chunks are reached through an atomic pointer and never change
// below their atomic count; what retention drops is kept alive by the readers that still hold it, and no one else.
//
// An engine that keeps entries elsewhere gives its logs a [Store]: what leaves memory then is cold, not gone, and comes back
// a page at a time for whoever reads there.
//
// The invariants: 1 <= head <= tail+1; entries head..tail are readable, but for the cold ones, which can be fetched; a
// cursor at next with next < head has lost something and must say so.
//
//	space.go      what the channels of a process share: formats, clock, budget
//	budget.go     the one memory budget
//	log.go        Log: append, head and tail
//	summary.go    how it stands
//	chunk.go      entries back to back, and where each ends
//	entry.go      what an engine keeps elsewhere
//	cold.go       what lies in a store below memory
//	restore.go    a log that an engine brings back, and adds to
//	record.go     one entry's compact form
//	view.go       finished frames of a chunk in one format
//	read.go       Frames, Batch, Read: what cursors use
//	newest.go     the newest entry of each key, and the frames of those who skip the rest
//	derived.go    the entries that a filter lets through, found once for all who share it
//	start.go      where a subscription begins
//	history.go    Query, Run: pages in both directions
//	retention.go  what is dropped, and when
//	dedup.go      the idempotency window
//	watch.go      who is told that the tail has moved
package channel
