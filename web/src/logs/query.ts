/** One condition of a query. */
export type Term =
  | { readonly kind: "text"; readonly text: string; readonly negated: boolean }
  | { readonly kind: "field"; readonly name: string; readonly value: string; readonly negated: boolean };

const tokens = /(-?)(?:([\w.@-]+)(!?=))?(?:"((?:[^"\\]|\\.)*)"?|(\S+))/g;

/**
 * Reads a query: words and "quoted texts" that must occur, name=value for fields, and -text or name!=value for what
 * must not be.
 */
export function parseQuery(query: string): Term[] {
  const terms: Term[] = [];
  for (const [, minus = "", name, operator, quoted, word] of query.matchAll(tokens)) {
    const value = quoted === undefined ? (word ?? "") : quoted.replace(/\\(.)/g, "$1");
    if (name !== undefined) {
      terms.push({ kind: "field", name, value, negated: (operator === "!=") !== (minus === "-") });
    } else if (value !== "") {
      terms.push({ kind: "text", text: value, negated: minus === "-" });
    }
  }
  return terms;
}

/** Writes the term name=value so that {@link parseQuery} reads it again. */
export function fieldTerm(name: string, value: string): string {
  return /^[^\s"\\]+$/.test(value) ? `${name}=${value}` : `${name}="${value.replace(/["\\]/g, "\\$&")}"`;
}

/** Reports whether a query has the term already. */
export function hasTerm(query: string, term: string): boolean {
  const [wanted] = parseQuery(term);
  return parseQuery(query).some((each) => JSON.stringify(each) === JSON.stringify(wanted));
}
