// The WebSocket to the daemon: comes back by itself whenever it is lost.

import { BackOff } from "./back_off";
import type { FromDaemon, FromTab, Open, ToDaemon } from "./messages";
import { Tabs } from "./tabs";

const TOKEN = /<script [^>]*\bdata-kahnd-token="([^"]+)"/;
const ANSWER_MS = 10_000;

/** What hears of messages: a port of the worker, or the tab itself. */
export interface Listener {
  postMessage(message: FromDaemon): void;
}

export class Connection {
  readonly #tabs = new Tabs<Listener>();
  readonly #backOff = new BackOff();
  #place: Open | undefined;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #daemon = "";
  #isTokenOld = false;
  #isConnecting = false;

  /** Takes a message of a tab. */
  take(from: Listener, message: FromTab): void {
    switch (message.type) {
      case "open":
        this.#open(message);
        break;
      case "show":
        this.#tabs.show(from, message);
        this.#send(message);
        if (message.visible) this.#hurry();
        break;
      case "gone":
        this.#tabs.gone(message.tab);
        this.#send(message);
        break;
    }
  }

  /** A port has closed: its tabs are gone. */
  lost(port: Listener): void {
    for (const tab of this.#tabs.of(port)) this.take(port, { type: "gone", tab });
  }

  /** The newest page knows best where the daemon is. */
  #open(place: Open): void {
    if (place.token !== this.#place?.token) this.#isTokenOld = false;
    this.#place = place;
    void this.#connect();
  }

  /** Someone looks: tries again now, not later. */
  #hurry(): void {
    if (this.#timer !== undefined) void this.#connect();
  }

  #later(): void {
    this.#timer = setTimeout(() => void this.#connect(), this.#backOff.next(Math.random()));
  }

  async #connect(): Promise<void> {
    if (this.#isConnecting || this.#socket || !this.#place) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isConnecting = true;
    const isReady = !this.#isTokenOld || (await this.#renew());
    this.#isConnecting = false;
    if (isReady) this.#listen(this.#place);
    else this.#later();
  }

  /** A daemon that was started anew has another token: any page that it serves tells it. */
  async #renew(): Promise<boolean> {
    if (!this.#place) return false;
    try {
      const answer = await fetch(this.#place.page, {
        cache: "no-store",
        headers: { Accept: "text/html" },
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const token = TOKEN.exec(await answer.text())?.[1];
      if (token !== undefined) this.#place.token = token;
      return token !== undefined;
    } catch {
      return false; // no daemon is there yet
    }
  }

  #listen(place: Open): void {
    const url = new URL("_kahnd/live", place.base.replace(/^http/, "ws"));
    url.searchParams.set("token", place.token);
    const socket = new WebSocket(url);
    const patience = setTimeout(() => {
      socket.close();
    }, ANSWER_MS);
    this.#socket = socket;
    socket.onopen = () => {
      clearTimeout(patience);
      this.#backOff.reset();
      this.#send({ type: "hello", daemon: this.#daemon });
      for (const show of this.#tabs.shown()) this.#send(show);
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      this.#hear(JSON.parse(event.data) as FromDaemon);
    };
    socket.onclose = () => {
      clearTimeout(patience);
      this.#socket = undefined;
      this.#isTokenOld = true;
      this.#later();
    };
  }

  #hear(message: FromDaemon): void {
    if (message.type === "welcome") this.#daemon = message.daemon;
    for (const [port, part] of this.#tabs.receivers(message)) port.postMessage(part);
  }

  #send(message: ToDaemon): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
