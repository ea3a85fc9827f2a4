const storageKey = "magpie.token";

/** Gives the credential kept in this tab. */
export function storedToken(): string | undefined {
  return sessionStorage.getItem(storageKey) ?? undefined;
}

/** Keeps a credential until the tab is closed; an empty one is forgotten. */
export function storeToken(token: string): void {
  if (token === "") sessionStorage.removeItem(storageKey);
  else sessionStorage.setItem(storageKey, token);
}
