// The tabs of a browser: what each shows, and which of them a message of the daemon is for. Pure.

import type { FromDaemon, Show } from "./messages";

export class Tabs<Port> {
  readonly #ports = new Map<string, Port>();
  readonly #shown = new Map<string, Show>();

  /** What all tabs show: the daemon is told it after each connect. */
  shown(): Show[] {
    return [...this.#shown.values()];
  }

  show(port: Port, show: Show): void {
    this.#ports.set(show.tab, port);
    this.#shown.set(show.tab, show);
  }

  gone(tab: string): void {
    this.#ports.delete(tab);
    this.#shown.delete(tab);
  }

  /** The tabs of a port that has closed. */
  of(port: Port): string[] {
    return [...this.#ports].filter(([, each]) => each === port).map(([tab]) => tab);
  }

  /** The tabs that a message concerns, each with the part for it. */
  receivers(message: FromDaemon): [Port, FromDaemon][] {
    const receivers: [Port, FromDaemon][] = [];
    for (const [tab, show] of this.#shown) {
      const port = this.#ports.get(tab);
      const part = partFor(show, message);
      if (port !== undefined && part) receivers.push([port, part]);
    }
    return receivers;
  }
}

function partFor(show: Show, message: FromDaemon): FromDaemon | undefined {
  switch (message.type) {
    case "changed":
      return message.path === show.path || message.path in show.assets ? message : undefined;
    case "known": {
      const hashes = Object.entries(message.hashes).filter(([path]) => path in show.assets);
      return hashes.length ? { ...message, hashes: Object.fromEntries(hashes) } : undefined;
    }
    case "problems": {
      const page = message.pages[show.path];
      return { ...message, pages: page === undefined ? {} : { [show.path]: page } };
    }
    case "welcome":
      return message;
  }
}
