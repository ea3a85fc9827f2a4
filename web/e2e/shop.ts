/** A record as a service writes it. */
interface ShopRecord extends ReturnType<Scene> {
  readonly timestamp: string;
  readonly trace_id: string;
}

type Scene = (i: number) => {
  readonly level: string;
  readonly service: string;
  readonly message: string;
  readonly [field: string]: unknown;
};

/** What goes on in a shop, from the common to the rare. */
const scenes: readonly Scene[] = [
  (i) => ({ level: "info", service: "gateway", message: "GET /api/v1/orders 200", method: "GET", status: 200, duration_ms: 8 + (i % 31) }),
  (i) => ({ level: "info", service: "order", message: "order accepted", order_id: `o-${String(48_000 + i)}`, customer: `c-${String((i * 7) % 911)}`, amount: (1_999 + i * 37) / 100 }),
  (i) => ({ level: "debug", service: "inventory", message: "stock level recalculated", sku: `A-${String((i * 13) % 900)}`, warehouse: "fra-2" }),
  (i) => ({ level: "info", service: "payment", message: "payment captured", provider: "adyen", order_id: `o-${String(48_000 + i)}`, attempt: 1 }),
  (i) => ({ level: "debug", service: "gateway", message: "cache hit", key: `session:${String(i % 300)}`, ttl: 540 }),
  (i) => ({ level: "info", service: "search", message: "\u001b[32mindexed\u001b[0m \u001b[1m1,204\u001b[0m documents in \u001b[33m84 ms\u001b[0m", index: "products", shard: i % 3 }),
  (i) => ({ level: "trace", service: "search", message: "query plan chosen", index: "products", cost: 12 + (i % 5) }),
  (i) => ({ level: "info", service: "mailer", message: "mail handed over", template: "order-confirmation", to: `c-${String((i * 7) % 911)}` }),
];

const warning: Scene = (i) => ({ level: "warn", service: "payment", message: "provider answered slowly, trying the second one", provider: "adyen", duration_ms: 2_000 + i, attempt: 2 });

const failure: Scene = (i) => ({
  level: "error",
  service: "order",
  message: "payment failed: card declined",
  order_id: `o-${String(48_000 + i)}`,
  error: { code: "card_declined", retryable: false, causes: ["issuer said no"] },
  stack: "PaymentError: card declined\n    at charge (pay.go:88)\n    at handle (http.go:31)",
});

/** Gives the newest records of a shop's day, always the same ones, the last of them just now. */
export function shopDay(count: number, now: number): ShopRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const scene = i % 29 === 28 ? failure : i % 13 === 12 ? warning : scenes[(i * 5 + (i >> 2) * 3) % scenes.length];
    const timestamp = new Date(now - (count - i) * 173 - ((i * 41) % 97)).toISOString();
    const traceId = ((i + 1) * 0x9e3779b1).toString(16).padStart(14, "0").slice(0, 12);
    return { timestamp, trace_id: traceId, ...(scene ?? warning)(i) };
  });
}
