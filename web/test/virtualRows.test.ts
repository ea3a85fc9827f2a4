import { afterEach, expect, it, vi } from "vitest";
import { createApp, h, nextTick, type Ref, ref } from "vue";
import VirtualRows from "../src/shell/VirtualRows.vue";

const rowHeight = 20;
const heightPx = 200;

afterEach(() => {
  vi.restoreAllMocks();
});

function mounted(items: Ref<readonly number[]>, follow: boolean) {
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(heightPx);
  vi.spyOn(HTMLElement.prototype, "scrollHeight", "get").mockImplementation(() => items.value.length * rowHeight);
  const host = document.createElement("div");
  createApp({
    render: () =>
      h(VirtualRows<number>, { items: items.value, rowHeight, keyOf: (item: number) => item, follow }, {
        default: ({ item }: { item: number }) => String(item),
      }),
  }).mount(host);
  const viewport = host.firstElementChild as HTMLElement;
  const shown = () => [...host.querySelectorAll(".row")].map((row) => Number(row.textContent));
  const scroll = async (top: number) => {
    viewport.scrollTop = top;
    viewport.dispatchEvent(new Event("scroll"));
    await nextTick();
  };
  return { viewport, shown, scroll };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

it("draws what is in view of 10,000 rows, and no more", async () => {
  const items = ref<readonly number[]>(numbers(0, 10_000));
  const { shown, scroll } = mounted(items, false);
  await nextTick();
  expect([shown()[0], shown().length < 50]).toEqual([0, true]);
  await scroll(5_000 * rowHeight);
  expect([shown().includes(5_000), shown().includes(5_009), shown().length < 50]).toEqual([true, true, true]);
});

it("stays at the end while it follows, and at its row while it does not", async () => {
  const items = ref<readonly number[]>(numbers(0, 100));
  const { viewport, shown, scroll } = mounted(items, true);
  await nextTick();
  items.value = numbers(0, 1_000);
  await nextTick();
  await nextTick();
  expect(shown().at(-1)).toBe(999);
  await scroll(500 * rowHeight + 3);
  items.value = numbers(100, 1_100);
  await nextTick();
  expect(viewport.scrollTop).toBe(400 * rowHeight + 3);
});
