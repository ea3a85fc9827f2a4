/** Makes the identifier of a message: 128 random bits, so that retries are recognised and nothing else is. */
export function newMessageId(): string {
  // randomUUID exists only on pages served over TLS or from the same machine; this exists everywhere.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
