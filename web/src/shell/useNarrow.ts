import { onScopeDispose, readonly, ref, type Ref } from "vue";

/** Tells whether the page is as narrow as a telephone's. */
export function useNarrow(): Readonly<Ref<boolean>> {
  const query = window.matchMedia("(max-width: 720px)");
  const narrow = ref(query.matches);
  const listen = (): void => {
    narrow.value = query.matches;
  };
  query.addEventListener("change", listen);
  onScopeDispose(() => {
    query.removeEventListener("change", listen);
  });
  return readonly(narrow);
}
