// The checks that every client passes, with the package ws; conformance/README.md tells what each is about.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Client, Ended, Refused } from "./client.mjs";

const name = "ws";
const flood = 2000;
const batch = 50;
const leastBreaks = 3;

function variable(key) {
  const value = process.env[key];
  if (value === undefined) throw new Error(`${key} is not set: start the suite with conformance/run`);
  return value;
}

const url = variable("MAGPIE_URL");
const flakyUrl = variable("MAGPIE_FLAKY_URL");
const secureUrl = variable("MAGPIE_SECURE_URL");
const jwt = variable("MAGPIE_JWT");
const apiKey = variable("MAGPIE_API_KEY");

const checks = {
  async connect() {
    const client = await Client.open(url, { connect: false });
    client.socket.send('{"type":"connect","requestId":"hello"}');
    const connected = await client.receive();
    assert.equal(connected.type, "connected");
    assert.equal(connected.requestId, "hello");
    assert.equal(connected.userId, "dev");
    assert.ok(connected.sessionId);
    client.close();
    await assert.rejects(client.text(), (error) => error instanceof Ended && error.message.includes("1000"));
  },

  async publish() {
    const [reader, writer] = [await Client.open(url), await Client.open(url)];
    const channel = "conformance.ws.publish";
    const subscribed = await reader.subscribe(channel);
    const published = await writer.publish(channel, { messageId: "m1", tags: { a: "b" }, data: { n: 1 } });
    assert.equal(published.position.offset, subscribed.position.offset + 1);
    const { type, offset, messageId, publisher, tags, data } = await reader.receive();
    assert.deepEqual({ type, offset, messageId, publisher, tags, data }, {
      type: "message", offset: published.position.offset, messageId: "m1", publisher: "dev", tags: { a: "b" }, data: { n: 1 },
    });
    const again = await writer.publish(channel, { messageId: "m1", data: { n: 1 } });
    assert.deepEqual([again.duplicate, again.position], [true, published.position]);
    reader.close();
    writer.close();
  },

  async payloads() {
    const [reader, writer] = [await Client.open(url), await Client.open(url)];
    const channel = "conformance.ws.payloads";
    await reader.subscribe(channel);
    for (const payload of [{ data: { a: [1, null, "é"] } }, { text: "line 1\nline 2 𝄞" }, { base64: "AP/+AA==" }]) {
      await writer.publish(channel, payload);
      const { data, text, base64 } = await reader.receive();
      assert.deepEqual(JSON.parse(JSON.stringify({ data, text, base64 })), payload);
    }
    reader.close();
    writer.close();
  },

  async call() {
    const client = await Client.open(url);
    const reply = await client.request({ type: "call", method: "magpie.echo", data: { x: [1, 2] } });
    assert.deepEqual([reply.type, reply.data], ["reply", { x: [1, 2] }]);
    const refused = await client.request({ type: "call", method: "nobody.serves.this" });
    assert.deepEqual([refused.type, refused.error.code], ["error", "not_found"]);
    client.close();
  },

  async ping() {
    const client = await Client.open(url);
    const pong = once(client.socket, "pong", { signal: AbortSignal.timeout(10_000) });
    client.socket.ping("are you there?");
    assert.equal(String((await pong)[0]), "are you there?");
    client.socket.send("ping");
    assert.equal(await client.text(), "pong");
    assert.equal((await client.request({ type: "ping" })).type, "pong");
    client.close();
  },

  async recovery() {
    const channel = "conformance.ws.recovery";
    const first = await Client.open(url);
    let { position } = await first.subscribe(channel);
    first.close();
    const flooding = publishAll(channel);
    let seen = 0;
    let lines = 0;
    for (; seen < flood; lines++) {
      try {
        const reader = await Client.open(flakyUrl);
        assert.equal((await reader.subscribe(channel, position)).recovered, true);
        while (seen < flood) {
          const message = await reader.receive();
          assert.equal(message.type, "message");
          assert.equal(message.offset, position.offset + 1);
          assert.equal(message.data.n, seen++);
          position = { ...position, offset: message.offset };
        }
        reader.close();
      } catch (error) {
        if (!(error instanceof Ended)) throw error; // the line is flaky; the position says where to go on
      }
    }
    await flooding;
    assert.ok(lines > leastBreaks, `the line broke too seldom to show anything: ${lines} lines`);
  },

  async gap() {
    const client = await Client.open(url);
    const channel = "conformance.ws.gap";
    const { position } = await client.publish(channel, { data: "kept" });
    const subscribed = await client.subscribe(channel, { epoch: "another", offset: 7 });
    assert.deepEqual([subscribed.recovered, subscribed.position.epoch], [false, position.epoch]);
    const gap = await client.receive();
    assert.deepEqual([gap.type, gap.reason, gap.epoch], ["gap", "epoch", position.epoch]);
    assert.equal((await client.receive()).data, "kept");
    client.close();
  },

  async error() {
    const client = await Client.open(url);
    const refused = await client.request({ type: "subscribe", channel: "a..b" });
    assert.deepEqual([refused.type, refused.error.code], ["error", "invalid_argument"]);
    client.socket.send("nonsense");
    const { type, error } = await client.receive();
    assert.deepEqual([type, error.code], ["error", "invalid_argument"]);
    assert.equal((await client.request({ type: "ping" })).type, "pong");
    client.close();
  },

  async token() {
    const user = await Client.open(secureUrl, { token: jwt });
    await user.publish("conformance.token", { data: 1 });
    const refused = await user.request({ type: "publish", channel: "forbidden", data: 1 });
    assert.deepEqual([refused.type, refused.error.code], ["error", "permission_denied"]);
    user.close();
    const service = await Client.open(secureUrl, { token: apiKey });
    await service.publish("conformance.token", { data: 1 });
    service.close();
  },

  async "bad-token"() {
    for (const token of [`${jwt}x`, "mgp_nobody_has_been_given_this_key"]) {
      await assert.rejects(Client.open(secureUrl, { token }), (error) => error instanceof Refused && error.status === 401);
    }
  },
};

async function publishAll(channel) {
  const writer = await Client.open(url);
  for (let n = 0; n < flood; n += batch) {
    const messages = Array.from({ length: batch }, (_, i) => ({ data: { n: n + i, padding: "x".repeat(100) } }));
    await writer.publish(channel, { messages });
  }
  writer.close();
}

let passed = 0;
for (const [check, run] of Object.entries(checks)) {
  try {
    await run();
    passed++;
    console.log(`ok ${name} ${check}`);
  } catch (error) {
    console.log(`failed ${name} ${check}: ${String(error).replaceAll("\n", " ")}`);
  }
}
const total = Object.keys(checks).length;
console.log(`${name}: ${total} checks, ${passed} passed`);
process.exit(passed === total ? 0 : 1);
