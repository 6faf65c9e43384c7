// What arrives for a view: its latest state, with the messages that the state names.

import { findMessage, openMessage } from "./messages.js";

/** Hands a view its latest state as soon as all messages of it are here, in whatever order. */
export class Inbox {
  /**
   * @param {(state: any, fresh: Record<string, import("./messages.js").Message>) => void} take
   *   gets, of the parts that the state names, those whose message is another than before
   */
  constructor(take) {
    this.take = take;
    /** @type {Record<string, string>} part → address of the message in use */
    this.used = {};
    this.arrival = () => this.#open();
    document.addEventListener("linked-view-message", this.arrival);
  }

  close() {
    document.removeEventListener("linked-view-message", this.arrival);
  }

  /**
   * Streamlit (re)mounts the view, or its theme changes: the state is taken in any case.
   * @param {string} address under which the state arrives, in a message like all that changes
   */
  receive(address) {
    this.address = address;
    this.pending ??= this.state;
    this.#open();
  }

  #open() {
    const bytes = findMessage(this.address);
    if (bytes && bytes !== this.bytes) {
      this.bytes = bytes;
      this.pending = openMessage(bytes).header;
    }
    if (!this.pending) return;
    const fresh = {};
    for (const [part, address] of Object.entries(this.pending.messages)) {
      if (this.used[part] === address) continue;
      const message = findMessage(address);
      if (!message) return;
      fresh[part] = openMessage(message);
    }
    this.state = this.pending;
    this.pending = null;
    this.used = { ...this.state.messages };
    this.take(this.state, fresh);
  }
}
