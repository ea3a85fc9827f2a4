import { readonly, ref, type Ref } from "vue";

/** The pages of the console. */
export const pages = ["logs", "channels", "chat"] as const;

/** One of the pages. */
export type Page = (typeof pages)[number];

/** Follows the page named behind the # of the address. */
export function useRoute(): Readonly<Ref<Page>> {
  const page = ref(current());
  window.addEventListener("hashchange", () => {
    page.value = current();
  });
  return readonly(page);
}

/** The address of a page. */
export function hrefOf(page: Page): string {
  return `#/${page}`;
}

function current(): Page {
  return pages.find((page) => location.hash === hrefOf(page)) ?? "logs";
}
