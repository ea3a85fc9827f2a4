// Package logs understands log lines. [Parse] makes a [Record] of one line, whatever wrote it: a JSON logger (slog,
// zap, logrus, zerolog, pino, bunyan, the logstash encoder, ECS, docker's json-file), a logfmt one, or plain text
// (syslog, logback, Spring Boot, log4j, Python, Go, glog, nginx, dpkg). It pulls out the time, the level, the service and the
// trace where they are clear. Nothing is lost: what is not recognised stays in the message, and other JSON
// members stay as they were written. [Record.AppendJSON] writes the one form in which records cross Magpie.
//
// [Joiner] stands before Parse: it cuts a stream of bytes into the texts of records, a stack trace with the line
// that it belongs to.
//
//	record.go     Record, its JSON form, and cutting one that is too long
//	level.go      Level and the spellings of it
//	parse.go      Parse and what it may assume
//	jsonline.go   lines that are JSON objects
//	members.go    which JSON members mean what
//	text.go       plain text: the formats with a time in front
//	syslog.go     plain text: syslog of either kind, containers, glog
//	texttail.go   plain text: what stands between the time and the message
//	logfmt.go     key=value lines
//	timestamp.go  times as loggers write them
//	escape.go     JSON strings, both ways
//	joiner.go     Joiner
package logs
