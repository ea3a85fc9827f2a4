// Package config reads the gateway's configuration, and is strict about it: a key nobody knows, a value of the wrong
// type or out of range, and settings that contradict each other are errors, reported together, each with its place,
// what was found and what is allowed.
//
// The way of a setting: the default, then the file, then the environment, then the command line; the last one wins.
// [Load] goes the whole way. The file is turned into a tree of plain values, and one table in schema.go says which key
// goes into which field and within which bounds; the environment takes the same way as the file.
//
// Secrets are held as [Secret], which no printer and no logger shows.
//
// Files:
//
//	config.go   the settings, their units and defaults
//	load.go     Load, Parse, the environment, what is worked out from the machine
//	schema.go   key by key: field and bounds
//	decode.go   the readers the schema is made of
//	tree.go     YAML to plain values with places
//	values.go   sizes, secrets, patterns
//	check.go    contradictions
//	namespace.go  whom a namespace gives rights, and namespaces that contradict themselves or each other
//	change.go   what differs between two configurations, and what of it can be had without a restart
//	error.go    places, problems, "did you mean"
//	memory.go   how much memory there is
//	show.go     printing and logging a configuration without its secrets
package config
