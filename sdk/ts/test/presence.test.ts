import { describe, expect, it, vi } from "vitest";
import { membersChannel, onlineChannel } from "../src/index.js";
import { connect, harness, reconnect, useFakeClock } from "./harness.js";

useFakeClock();

const page = { type: "members", channel: "room.7", position: { epoch: "k1", offset: 12 }, count: 3 } as const;
const alice = { userId: "alice", sessionId: "s1", nodeId: "n1", since: 1, info: { name: "Alice" } };
const bob = { userId: "bob", sessionId: "s2", device: "phone", nodeId: "n1", since: 2 };

describe("presence", () => {
  it("gives a page", async () => {
    const h = harness();
    const socket = await connect(h);
    const result = h.client.presence("room.7", { limit: 2, after: "s0" });
    const { requestId, ...asked } = socket.last("presence");
    expect(asked).toEqual({ type: "presence", channel: "room.7", limit: 2, after: "s0" });
    socket.receive({ ...page, requestId, members: [alice, bob], next: "s2" });
    await expect(result).resolves.toMatchObject({ ...page, members: [alice, bob], next: "s2" });
  });

  it("goes from page to page to the end, over a broken line too", async () => {
    const h = harness();
    const socket = await connect(h);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { members } of h.client.presencePages("room.7")) seen.push(...members.map(({ userId }) => userId));
    })();
    socket.receive({ ...page, requestId: socket.last("presence").requestId, members: [alice], next: "s1" });
    await vi.advanceTimersByTimeAsync(0);
    const after = await reconnect(h);
    const second = after.last("presence");
    expect(second).toMatchObject({ channel: "room.7", after: "s1" });
    after.receive({ ...page, requestId: second.requestId, members: [bob] });
    await reading;
    expect(seen).toEqual(["alice", "bob"]);
  });

  it("fails with what the gateway says, and when the line is closed for good", async () => {
    const h = harness();
    const socket = await connect(h);
    const refused = h.client.presence("room.7");
    const error = { code: "failed_precondition", message: "no presence" };
    socket.receive({ type: "error", requestId: socket.last("presence").requestId, error });
    await expect(refused).rejects.toMatchObject(error);
    const lost = h.client.presence("room.7");
    h.client.close();
    await expect(lost).rejects.toMatchObject({ code: "unavailable" });
  });

  it("says something of the client, on each line anew", async () => {
    const h = harness();
    const socket = await connect(h);
    h.client.subscribe("room.7", { info: { name: "Alice" }, onMessage: () => undefined });
    expect(socket.last("subscribe")).toMatchObject({ channel: "room.7", info: { name: "Alice" } });
    const after = await reconnect(h);
    expect(after.last("subscribe")).toMatchObject({ channel: "room.7", info: { name: "Alice" } });
  });

  it("names the channels that tell", () => {
    expect([membersChannel("room.7"), onlineChannel("bob")]).toEqual(["sys.members.room.7", "sys.online.bob"]);
  });
});
