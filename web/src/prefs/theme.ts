import { computed, type ComputedRef, ref, watchEffect } from "vue";

/** The two sets of colours. */
export type Theme = "light" | "dark";

/** Which colours are shown, and how to change them. */
export interface ThemeChoice {
  readonly theme: ComputedRef<Theme>;
  toggle(): void;
}

const storageKey = "magpie.theme";

/** Follows the system's colours until the viewer chooses others. */
export function createTheme(): ThemeChoice {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const systemDark = ref(system.matches);
  system.addEventListener("change", (event) => {
    systemDark.value = event.matches;
  });
  const chosen = ref<Theme | undefined>(readChoice());
  const theme = computed<Theme>(() => chosen.value ?? (systemDark.value ? "dark" : "light"));
  watchEffect(() => {
    document.documentElement.dataset["theme"] = theme.value;
  });
  return {
    theme,
    toggle() {
      chosen.value = theme.value === "dark" ? "light" : "dark";
      localStorage.setItem(storageKey, chosen.value);
    },
  };
}

function readChoice(): Theme | undefined {
  const stored = localStorage.getItem(storageKey);
  return stored === "light" || stored === "dark" ? stored : undefined;
}
