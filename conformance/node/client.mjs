// A client that speaks the protocol over a line of the package ws, a step at a time.
import WebSocket from "ws";

const patienceMs = 10_000;

/** The line is gone. */
export class Ended extends Error {}

/** The handshake was answered otherwise than 101. */
export class Refused extends Error {
  constructor(status) {
    super(`the handshake was answered ${status}`);
    this.status = status;
  }
}

export class Client {
  #received = [];
  #waiting = null;
  #ended = null;
  #requests = 0;

  constructor(socket) {
    this.socket = socket;
    socket.on("message", (data, binary) => this.#take(binary ? data : data.toString()));
    socket.on("close", (code) => this.#end(`closed with ${code}`));
    socket.on("error", (error) => this.#end(String(error)));
  }

  /** Opens a line, and says connect unless told otherwise. */
  static async open(url, { token, connect = true } = {}) {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, "magpie.v1.json", { headers });
    const client = new Client(socket); // before the line is open: the first message may come with the handshake's answer
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
      socket.once("unexpected-response", (_, response) => {
        reject(new Refused(response.statusCode));
        response.destroy();
      });
    });
    if (connect) await client.request({ type: "connect" });
    return client;
  }

  #take(message) {
    this.#received.push(message);
    this.#waiting?.();
  }

  #end(why) {
    this.#ended ??= why;
    this.#waiting?.();
  }

  /** The next message as it came. */
  async text() {
    if (this.#received.length === 0 && this.#ended === null) {
      let timer;
      await new Promise((resolve, reject) => {
        this.#waiting = resolve;
        timer = setTimeout(() => reject(new Error(`nothing came within ${patienceMs} ms`)), patienceMs);
      }).finally(() => clearTimeout(timer));
      this.#waiting = null;
    }
    if (this.#received.length > 0) return this.#received.shift();
    throw new Ended(this.#ended);
  }

  async receive() {
    return JSON.parse(await this.text());
  }

  /** Sends a request and returns its answer, which has to be the next frame. */
  async request(frame) {
    const requestId = String(++this.#requests);
    this.socket.send(JSON.stringify({ ...frame, requestId }));
    const answer = await this.receive();
    if (answer.requestId !== requestId) throw new Error(`expected the answer to ${frame.type}, got ${JSON.stringify(answer)}`);
    return answer;
  }

  async subscribe(channel, from) {
    const answer = await this.request({ type: "subscribe", channel, from });
    if (answer.type !== "subscribed") throw new Error(JSON.stringify(answer));
    return answer;
  }

  async publish(channel, fields) {
    const answer = await this.request({ type: "publish", channel, ...fields });
    if (answer.type !== "published") throw new Error(JSON.stringify(answer));
    return answer;
  }

  close() {
    this.socket.close(1000);
  }
}
