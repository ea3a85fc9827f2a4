import { onActivated, onDeactivated, onMounted } from "vue";

/** Elements that mean something else by the keys of the page. */
const ownKeys = "input, textarea, select, button, a, summary, [contenteditable]";

/** Listens to single keys while the page is shown. Gives what ends it. */
export function usePageKeys(actions: Readonly<Record<string, () => void>>): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target } = event;
    const busy = target instanceof Element && target.closest(ownKeys) !== null;
    if (busy && event.key !== "Escape") return;
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  };
  const start = (): void => {
    window.addEventListener("keydown", onKey);
  };
  const stop = (): void => {
    window.removeEventListener("keydown", onKey);
  };
  onMounted(start);
  onActivated(start);
  onDeactivated(stop);
  return stop;
}
