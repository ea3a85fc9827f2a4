/** Ends what the call that returned it began. Calling it again does nothing. */
export type Unlisten = () => void;

/** Signal tells its listeners, in the order in which they came, that something happened. */
export class Signal<T> {
  readonly #listeners = new Set<(value: T) => void>();

  /** Adds a listener. */
  listen(listener: (value: T) => void): Unlisten {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Tells all listeners. One that throws keeps no other from hearing it: its error is rethrown on its own. */
  emit(value: T): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
