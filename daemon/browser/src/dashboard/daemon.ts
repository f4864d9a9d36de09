// The daemon as the dashboard asks it.

import { baseOf } from "../page/base";

export type Query = Record<string, string | number | readonly string[] | undefined>;

/** The daemon refuses a request, or can't be reached. */
export class DaemonError extends Error {}

export class Daemon {
  readonly #base: string;
  readonly #token: string;
  readonly id: string;
  readonly project: string;

  constructor(base: string, token: string, id: string, project: string) {
    this.#base = base;
    this.#token = token;
    this.id = id;
    this.project = project;
  }

  /** The daemon that served the page of this script. */
  static of(script: HTMLScriptElement): Daemon {
    const { token, daemon, project } = script.dataset;
    return new Daemon(baseOf(script.src), token ?? "", daemon ?? "", project ?? "");
  }

  /** The address of an output. */
  page(path: string): string {
    return this.#base + path.split("/").map(encodeURIComponent).join("/");
  }

  /** The address below which a view's data is. */
  address(name: string, query: Query = {}): string {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
      for (const each of Array.isArray(value) ? (value as readonly string[]) : [value]) {
        if (each !== undefined && each !== "") search.append(key, String(each));
      }
    }
    const text = search.toString();
    return `${this.#base}_kahnd/api/${name}${text ? `?${text}` : ""}`;
  }

  async ask<T>(name: string, query: Query, signal?: AbortSignal): Promise<T> {
    return this.#answer<T>(this.address(name, query), signal ? { signal } : {});
  }

  async act<T>(name: string, body: object): Promise<T> {
    const headers = { "Content-Type": "application/json", "X-Kahnd-Token": this.#token };
    return this.#answer<T>(this.address(name), { method: "POST", headers, body: JSON.stringify(body) });
  }

  async #answer<T>(address: string, how: RequestInit): Promise<T> {
    let response: Response;
    try {
      response = await fetch(address, { ...how, credentials: "same-origin" });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new DaemonError("The daemon does not answer. The page goes on by itself once it does.");
    }
    const text = await response.text();
    if (response.ok) return JSON.parse(text) as T;
    throw new DaemonError(reasonIn(text) ?? `The daemon refuses: ${text.trim() || response.status.toString()}`);
  }
}

function reasonIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error: { message: string; remedy?: string } };
    return error.remedy ? `${error.message}: ${error.remedy}` : error.message;
  } catch {
    return undefined;
  }
}
