// The service of main.go with a WebSocket alone: in a browser's console, or in Node.js, which has WebSocket since version 22.
const prices = new Map([["lantern", 1299], ["rope", 450]]);
const line = new WebSocket("ws://127.0.0.1:8080/ws");
const send = (frame) => line.send(JSON.stringify(frame));

line.onopen = () => send({ type: "serve", requestId: "1", method: "pricing.quote", concurrency: 8 });
line.onmessage = (event) => {
  const frame = JSON.parse(event.data);
  if (frame.type === "served") console.log("serving", frame.method);
  if (frame.type === "call") answer(frame); // and cancel, if nobody waits any more: this service is too quick for it
};

function answer({ requestId, method, data }) {
  const refuse = (code, message) => send({ type: "error", requestId, error: { code, message } });
  if (method !== "pricing.quote") return refuse("unimplemented", `no ${method} here`); // a call that was directed here
  if (typeof data?.sku !== "string") return refuse("invalid_argument", "no sku");
  send({ type: "progress", requestId, text: `looking for a ${data.sku}` });
  if (!prices.has(data.sku)) return refuse("not_found", `there is no ${data.sku}`);
  send({ type: "reply", requestId, data: { cents: prices.get(data.sku) * data.count } });
}
