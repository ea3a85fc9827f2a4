// Package filter is the expression language of server-side filters: what a subscriber writes to get only some of a
// channel's messages, such as
//
//	level>=warn service=order-* "timed out" -logger=foo
//
// [Parse] compiles a text to a [Program], once for all who share it; [Program.Match] tells whether a message passes. It reads
// the message's tags and its JSON as they lie there: what a program asks of a payload is collected in one walk over its bytes,
// which builds nothing, ends when everything is found, and does not happen where the tags alone decide.
//
// Texts come from anybody, so every bound is a constant in limits.go, and no expression makes a match expensive:
// each term costs at most time in proportion to the payload.
//
// docs/guides/filters.md tells users what they can write. The files:
//
//	limits.go   how large a filter may be, and why
//	program.go  Program: Match, String
//	parse.go    text to tree: or, and, not, parentheses
//	term.go     text to tree: the terms, their names and values
//	value.go    the value of a term, compiled for its operator
//	regexp.go   regular expressions, and what they cost
//	fault.go    the sentences about mistakes
//	tree.go     the tree, its canonical text, and its order of evaluation
//	field.go    what the name of a field stands for
//	test.go     whether a field of a message passes a term
//	message.go  the fields of the message at hand
//	scan.go     the walk over a JSON payload
//	number.go   numbers, compared exactly
//	fold.go     upper and lower case
package filter
