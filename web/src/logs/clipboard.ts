/** Copies a text, and reports whether that was allowed. */
export async function copyText(text: string): Promise<boolean> {
  // The clipboard of the standard exists only on pages served over TLS or from the same machine.
  if (!("clipboard" in navigator)) return copySelected(text);
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

function copySelected(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
