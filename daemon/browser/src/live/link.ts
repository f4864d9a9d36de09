// A tab's way to the daemon: by the worker that all tabs share, or by a connection of its own where there is none.

import { Connection, type Listener } from "./connection";
import type { FromDaemon, FromTab, Open, Show } from "./messages";

const NAME = "kahnd-1"; // of what tabs and worker tell each other: another form of it needs another worker

type Hear = (message: FromDaemon) => void;

export class Link {
  readonly #hear: Hear;
  #opened: Open | undefined;
  #shown: Show | undefined;
  #send: (message: FromTab) => void;

  constructor(workerUrl: string, hear: Hear) {
    this.#hear = hear;
    this.#send = this.#byWorker(workerUrl) ?? this.#alone();
  }

  send(message: FromTab): void {
    if (message.type === "open") this.#opened = message;
    else this.#shown = message.type === "show" ? message : undefined;
    this.#send(message);
  }

  #byWorker(url: string): ((message: FromTab) => void) | undefined {
    if (typeof SharedWorker === "undefined") return undefined;
    try {
      const worker = new SharedWorker(url, NAME);
      worker.port.onmessage = (event: MessageEvent<FromDaemon>) => {
        this.#hear(event.data);
      };
      worker.onerror = () => {
        this.#fallBack();
      };
      return (message) => {
        worker.port.postMessage(message);
      };
    } catch {
      return undefined; // the page's content security policy forbids it
    }
  }

  #alone(): (message: FromTab) => void {
    const connection = new Connection();
    const listener: Listener = { postMessage: this.#hear };
    return (message) => {
      connection.take(listener, message);
    };
  }

  /** The worker can't be loaded: what it was told goes by a connection of the tab's own. */
  #fallBack(): void {
    this.#send = this.#alone();
    if (this.#opened) this.#send(this.#opened);
    if (this.#shown) this.#send(this.#shown);
  }
}
