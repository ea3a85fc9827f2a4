package filter

import (
	"cmp"
	"slices"
	"strings"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// join says how a node is made of those below it.
type join uint8

const (
	joinNone join = iota // it is a term
	joinAnd
	joinOr
)

// node is a part of a filter: a term, or several nodes joined.
type node struct {
	join    join
	negated bool
	term    *term
	nodes   []node
}

// joined makes one node of several. A single one stays itself, and nodes of the same kind inside become part of it.
func joined(how join, nodes []node) node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	flat := make([]node, 0, len(nodes))
	for _, n := range nodes {
		if n.join == how && !n.negated {
			flat = append(flat, n.nodes...)
		} else {
			flat = append(flat, n)
		}
	}
	return node{join: how, nodes: flat}
}

func (n *node) match(p *Program, m *wire.Message, s *sight) bool {
	switch n.join {
	case joinNone:
		return n.term.holds(s, s.look(p, m, n.term.field)) != n.negated
	case joinAnd, joinOr:
		decisive := n.join == joinOr // one that is true decides an or, one that is false an and
		for i := range n.nodes {
			if n.nodes[i].match(p, m, s) == decisive {
				return decisive != n.negated
			}
		}
		return decisive == n.negated
	}
	return false
}

// cheapestFirst sorts what is joined so that the tags decide before the payload is walked, and the walk before texts are
// searched. It returns the price of the dearest term.
func (n *node) cheapestFirst(p *Program) int {
	if n.join == joinNone {
		return n.term.price(p)
	}
	prices := make(map[*node]int, len(n.nodes))
	order := make([]*node, len(n.nodes))
	dearest := 0
	for i := range n.nodes {
		order[i] = &n.nodes[i]
		prices[order[i]] = n.nodes[i].cheapestFirst(p)
		dearest = max(dearest, prices[order[i]])
	}
	slices.SortStableFunc(order, func(a, b *node) int { return cmp.Compare(prices[a], prices[b]) })
	sorted := make([]node, len(order))
	for i := range order {
		sorted[i] = *order[i]
	}
	n.nodes = sorted
	return dearest
}

// print writes the canonical text.
func (n *node) print(out *strings.Builder) {
	switch n.join {
	case joinNone:
		n.term.print(out, n.negated)
	case joinAnd, joinOr:
		n.printJoined(out)
	}
}

func (n *node) printJoined(out *strings.Builder) {
	if n.negated {
		out.WriteString("-(")
		defer out.WriteByte(')')
	}
	between := " "
	if n.join == joinOr {
		between = " or "
	}
	for i := range n.nodes {
		if i > 0 {
			out.WriteString(between)
		}
		inside := &n.nodes[i]
		if n.join == joinAnd && inside.join == joinOr && !inside.negated {
			out.WriteByte('(')
			inside.print(out)
			out.WriteByte(')')
			continue
		}
		inside.print(out)
	}
}
