// Package source brings what happens elsewhere into channels. It holds what every source shares: the [Publisher] it
// writes to, and the [Batcher] between, which gathers records, publishes them in order, tries again with the same
// message ids, and holds the source back while the gateway cannot take more. The sources themselves stand below: file
// follows log files, slogsource the gateway's own log.
//
//	source.go   Publisher, and the publication that a log record becomes
//	batcher.go  Batcher: gathering and back-pressure
//	retry.go    what is tried again, and when
package source
