package filter

import (
	"strings"
	"sync"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Program is a compiled filter. It never changes, and any number of goroutines may use it at the same time.
type Program struct {
	root      node
	text      string
	fields    []field // what the terms ask for, each once
	paths     branch  // where in a payload they lie
	inPayload int     // how many of them may lie there
	sights    sync.Pool
}

// Parse compiles a filter. What is wrong with a text is told by an invalid_argument [wire.Error]: the column, counted in
// characters from 1, what stands there, and what was expected.
func Parse(text string) (*Program, error) {
	p := parser{text: text, program: &Program{}, indices: map[string]int{}}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	program := p.program
	var canonical strings.Builder
	root.print(&canonical)
	program.text = canonical.String()
	root.cheapestFirst(program)
	program.root = root
	for i := range program.fields {
		if f := &program.fields[i]; f.inPayload() {
			program.paths.add(i, f)
			program.inPayload++
		}
	}
	return program, nil
}

// String is the canonical text: filters that differ in spacing, in case where it does not matter, in needless quotes or
// parentheses, or in how a negation is spelt have the same. It is a filter itself, of the same meaning.
func (p *Program) String() string { return p.text }

// Match reports whether the message passes. It keeps nothing of the message, and takes time in proportion to its
// size, whatever the filter is.
func (p *Program) Match(m *wire.Message) bool {
	s, ok := p.sights.Get().(*sight)
	if !ok {
		s = &sight{values: make([]value, len(p.fields)), open: p.inPayload}
	}
	passes := p.root.match(p, m, s)
	s.forget(p)
	p.sights.Put(s)
	return passes
}
