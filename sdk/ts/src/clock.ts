/** Stops a timer; harmless when it has fired already. */
export type CancelTimer = () => void;

/** The time, as far as this client needs it. Tests put their own in its place. */
export interface Clock {
  /** Milliseconds since 1970 by a clock that never goes back. */
  now(): number;
  /** Runs the function once, after that many milliseconds. */
  after(ms: number, run: () => void): CancelTimer;
}

/** The clock of the machine. It goes on steadily when somebody sets the machine's time. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};
