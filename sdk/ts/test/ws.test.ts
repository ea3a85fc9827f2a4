import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Client, type ConnectionState, decodeFrame, encodeFrame, type Frame } from "../src/index.js";

it("works over a real socket of the package ws", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (socket) => {
    const answer = (frame: Frame): void => { socket.send(encodeFrame(frame)); };
    socket.on("message", (data: Buffer) => {
      const frame = decodeFrame(data.toString());
      if (frame?.type === "connect") answer({ type: "connected", requestId: frame.requestId, sessionId: "s", resumed: false });
      if (frame?.type !== "subscribe") return;
      const { requestId, channel } = frame;
      answer({ type: "subscribed", requestId, channel, position: { epoch: "k", offset: 0 }, tail: 1, recovered: false });
      answer({ type: "message", channel, offset: 1, timestamp: 1, text: "grüße 你好" });
    });
  });
  const { port } = server.address() as AddressInfo;
  const client = new Client({ url: `ws://127.0.0.1:${String(port)}/ws`, WebSocket });
  const text = new Promise((resolve) => {
    client.subscribe("a.b", { onMessage: (message) => { resolve(message.text); } });
  });
  client.connect();
  await expect(text).resolves.toBe("grüße 你好");
  const closed = new Promise<ConnectionState>((resolve) => { client.onState(resolve); });
  client.close("done");
  await expect(closed).resolves.toMatchObject({ kind: "closed", reason: { local: true } });
  server.close();
});
