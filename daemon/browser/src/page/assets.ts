// What a page uses besides its HTML, and how it is replaced without a flash.

import type { Kind } from "../live/messages";
import { outputPath } from "./base";
import { isStylesheet } from "./tree";
import { loaded } from "./update";
import { urlsIn, versioned, withUrls } from "./urls";

const MOST = 500;
const LONGEST = 500; // characters of a path: the daemon takes no message of more than a megabyte
const ADDRESSES = ["src", "href", "poster", "data", "srcset"];
const USERS = "img, source, video, audio, track, object, embed, input[src], image, use, feImage, link[rel~=icon]";

type Replaced = (old: Element, fresh: Element) => void;

export class Assets {
  readonly #base: string;
  readonly #own: string;
  readonly #paths = new Map<string, string | null>();
  readonly #since = new Map<string, number>();
  readonly #replaced: Replaced;

  /** `found` is called when the page uses something more; `replaced` when an element stands for another. */
  constructor(base: string, own: string, found: () => void, replaced: Replaced) {
    this.#base = base;
    this.#own = own;
    this.#replaced = replaced;
    new PerformanceObserver((entries) => {
      if (entries.getEntries().filter((each) => this.#use(each.name, each.startTime)).length) found();
    }).observe({ type: "resource", buffered: true });
  }

  /** The output paths that are used, each with its hash if it is known. */
  used(): Record<string, string | null> {
    for (const element of document.querySelectorAll(`${USERS}, script[src], link[rel~=stylesheet]`)) {
      for (const url of addresses(element)) this.#use(url, document.readyState === "complete" ? performance.now() : 0);
    }
    return Object.fromEntries(this.#paths);
  }

  /** For how many milliseconds, at the most, something of unknown hash is in use: since then it may have changed. */
  age(): number {
    const unknown = [...this.#since].filter(([path]) => this.#paths.get(path) === null);
    return unknown.length ? performance.now() - Math.min(...unknown.map(([, since]) => since)) : 0;
  }

  /** Notes a hash where none was known. */
  learn(path: string, hash: string): void {
    if (this.#paths.get(path) === null) this.#paths.set(path, hash);
  }

  /** Notes a hash; tells whether that of a path is new. */
  note(path: string, hash: string | null): boolean {
    const isNew = this.#paths.get(path) !== hash;
    if (this.#paths.has(path)) this.#paths.set(path, hash);
    return isNew;
  }

  /** Shows the new content of what has changed. Scripts and data are not for this. */
  async replace(path: string, hash: string, kind: Kind): Promise<void> {
    const version = hash.slice(0, 8);
    const links = [...document.querySelectorAll("link")].filter((link) => isStylesheet(link));
    const own = links.filter((link) => this.#pathOf(link.href) === path);
    const users = [...document.querySelectorAll(USERS)].filter((each) => this.#uses(each, path));
    if (own.length) await Promise.all(own.map((link) => this.#swap(link, version)));
    else if (users.length) await Promise.all(users.map((each) => this.#renew(each, path, version)));
    else if (kind !== "page") {
      await fetch(new URL(encodeURI(path), this.#base), { cache: "reload" }); // a stylesheet imports or shows it
      await Promise.all(links.filter((link) => this.#pathOf(link.href)).map((link) => this.#swap(link, version)));
    }
  }

  #use(url: string, since: number): boolean {
    const path = this.#pathOf(url);
    if (path === undefined || path === this.#own || this.#paths.has(path)) return false;
    if (path.length > LONGEST || this.#paths.size >= MOST) return false;
    this.#paths.set(path, null);
    this.#since.set(path, since);
    return true;
  }

  #pathOf(url: string): string | undefined {
    return outputPath(this.#base, url);
  }

  #uses(element: Element, path: string): boolean {
    return addresses(element).some((url) => this.#pathOf(url) === path);
  }

  /** The old stylesheet goes when the new one is there. */
  async #swap(link: HTMLLinkElement, version: string): Promise<void> {
    const fresh = link.cloneNode() as HTMLLinkElement;
    fresh.href = versioned(link.href, version);
    const done = loaded(fresh);
    link.after(fresh);
    this.#replaced(link, fresh);
    await done;
    link.remove();
  }

  /** An image is fetched before it is shown. */
  async #renew(element: Element, path: string, version: string): Promise<void> {
    if (element instanceof HTMLImageElement && this.#pathOf(element.currentSrc) === path) {
      const image = new Image();
      image.src = versioned(element.currentSrc, version);
      await image.decode().catch(() => undefined); // what is no image is shown as such
    }
    for (const name of ADDRESSES) {
      const value = element.getAttribute(name);
      if (value === null) continue;
      const fresh = withUrls(name, value, (url) => (this.#pathOf(absolute(url)) === path ? versioned(url, version) : url));
      if (fresh !== value) element.setAttribute(name, fresh);
    }
  }
}

/** The absolute URLs that an element names. */
function addresses(element: Element): string[] {
  return ADDRESSES.flatMap((name) => urlsIn(name, element.getAttribute(name) ?? "")).map(absolute);
}

function absolute(url: string): string {
  try {
    return new URL(url, document.baseURI).href;
  } catch {
    return "";
  }
}
