/** The levels of log records, from the least to the most severe. */
export const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/** How severe a record is. */
export type Level = (typeof levels)[number];

/** The severity as a number: 1 for trace to 6 for fatal, 0 where the record does not say. */
export type Severity = number;

/** The severity of records that do not say. */
export const unknownSeverity: Severity = 0;

const severities: ReadonlyMap<string, Severity> = new Map(levels.map((level, index) => [level, index + 1]));

/** Gives the severity of a level by its name. */
export function severityOf(level: string): Severity {
  return severities.get(level) ?? unknownSeverity;
}

/** Gives the name of a severity; undefined for the unknown one. */
export function levelOf(severity: Severity): Level | undefined {
  return levels[severity - 1];
}
