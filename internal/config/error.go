package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// place is where a setting was made: a line of a file, or a variable of the environment. The zero value is the default
// or the command line.
type place struct {
	name         string // of the file or the variable
	line, column int    // 0 for a variable
}

// places are by key, such as limits.frame_bytes.
type places map[string]place

func (p place) String() string {
	if p.line == 0 {
		return p.name
	}
	return fmt.Sprintf("%s:%d:%d", p.name, p.line, p.column)
}

// Problem is one thing that is wrong in a configuration.
type Problem struct {
	Name    string // of the file or of the environment's variable; empty where neither set the key
	Line    int    // of the file, from 1; 0 where there is none
	Column  int    // in characters, from 1; 0 where there is none
	Key     string // such as limits.frame_bytes; empty where the file as a whole is meant
	Message string // what was found and what is allowed
}

// String shows the problem on one line, its place first.
func (p Problem) String() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{place{p.Name, p.Line, p.Column}.String(), p.Key, p.Message} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Error lists everything that is wrong, in the order of the file.
type Error struct {
	Problems []Problem
}

// Error shows one problem a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects while reading goes on.
type problems []Problem

func (ps *problems) add(at place, key, format string, args ...any) {
	*ps = append(*ps, Problem{
		Name: at.name, Line: at.line, Column: at.column, Key: key, Message: fmt.Sprintf(format, args...),
	})
}

func (ps problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{Problems: ps}
}

// nearest returns the candidate that word was probably meant to be, or "".
func nearest(word string, candidates []string) string {
	const longest = 64 // nobody mistypes that much, and the distance costs the square of it
	if len(word) > longest {
		return ""
	}
	best, at := "", max(1, len(word)/3)+1
	word = strings.ToLower(word)
	for _, candidate := range candidates {
		d := distance(word, candidate)
		if min(len(word), len(candidate)) > 2 && (strings.HasPrefix(word, candidate) || strings.HasPrefix(candidate, word)) {
			d = 1 // warning for warn, sub for subscribe
		}
		if d < at {
			best, at = candidate, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their neighbour in order to get from a to b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := 1
			if a[i-1] == b[j-1] {
				replace = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
