/** The part of a WebSocket that this client uses; that of browsers and that of the package `ws` both have it. */
export interface Socket {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

/** A WebSocket class. */
export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

/** The subprotocol of JSON frames. */
export const subprotocol = "magpie.v1.json";
