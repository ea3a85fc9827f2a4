/** What happened to the line or to the store; shown as a row among the records, whatever the filter. */
export type LogEvent =
  /** Delivery began. */
  | { readonly type: "subscribed"; readonly channel: string; readonly node: string; readonly tail: number }
  /** The line broke; the client tries again. */
  | { readonly type: "lost"; readonly code: number; readonly reason: string }
  /** The line is back, and delivery goes on after the offset. */
  | { readonly type: "restored"; readonly node: string; readonly downMs: number; readonly offset: number }
  /** The line was closed and stays so. */
  | { readonly type: "closed"; readonly code: number; readonly reason: string }
  /** Records that cannot be delivered any more. */
  | { readonly type: "gap"; readonly from: number; readonly to: number; readonly reason: string }
  /** The gateway ended or refused the subscription. */
  | { readonly type: "ended"; readonly code: string; readonly message: string }
  /** Something else went wrong. */
  | { readonly type: "fault"; readonly code: string; readonly message: string };
