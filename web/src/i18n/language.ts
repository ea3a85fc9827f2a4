import { computed, type ComputedRef, inject, type InjectionKey, type Ref, ref, watchEffect } from "vue";
import { en } from "./en";
import type { Text } from "./text";
import { zh } from "./zh";

/** The languages of the console. */
export type Language = "en" | "zh";

const dictionaries: Readonly<Record<Language, Text>> = { en, zh };

/** How the console speaks. */
export interface Speech {
  readonly language: Ref<Language>;
  readonly t: ComputedRef<Text>;
  /** Writes a number. */
  readonly number: (value: number, digits?: number) => string;
  toggle(): void;
}

const storageKey = "magpie.language";

/** Finds the language: the one chosen before, or that of the browser. */
export function createSpeech(): Speech {
  const language = ref<Language>(initialLanguage());
  watchEffect(() => {
    document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
  });
  const t = computed(() => dictionaries[language.value]);
  return {
    language,
    t,
    number: (value, digits = 0) =>
      value.toLocaleString(language.value, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
    toggle() {
      language.value = language.value === "en" ? "zh" : "en";
      localStorage.setItem(storageKey, language.value);
    },
  };
}

function initialLanguage(): Language {
  const chosen = localStorage.getItem(storageKey) ?? navigator.language;
  return chosen.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Where components find the speech. */
export const speechKey: InjectionKey<Speech> = Symbol("speech");

/** Gives a component the speech of the console. */
export function useSpeech(): Speech {
  const speech = inject(speechKey);
  if (speech === undefined) throw new Error("the speech is not provided");
  return speech;
}
