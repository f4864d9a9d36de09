// The page of this tab: what version of it is on show, and how it comes to the next one.

import { Link } from "../live/link";
import type { Changed, FromDaemon } from "../live/messages";
import { Assets } from "./assets";
import { baseOf } from "./base";
import { Overlay } from "./overlay";
import { keepingPlace } from "./scroll";
import { number, OWN_SCRIPT, type Part, read, scripts } from "./tree";
import { pairWithShown, Update } from "./update";

const RETRY_MS = 1_000;
const NOT_FOUND = 404;
const GONE = "This page is no longer made: its document, or the rule for it, is gone.";

/** What kahnd's script on a page tells. */
interface Version {
  path: string;
  hash: string | null;
  daemon: string;
  token: string;
}

export class ShownPage {
  readonly #url = document.URL.replace(/#.*$/s, "");
  readonly #tab = randomName();
  readonly #base: string;
  readonly #version: Version;
  readonly #shown = read(document.documentElement, true);
  readonly #assets: Assets;
  readonly #overlay: Overlay;
  readonly #link: Link;
  #hash: string | null;
  #served: Promise<{ tree: Part; scripts: string[] }> | undefined;
  #wanted: { hash: string | null } | undefined;
  #isBusy = false;
  #isLeft = false;
  /** The page's own policy forbids to read it from a script: it is loaded again in the place of an update. */
  #isForbidden = false;

  constructor(script: HTMLScriptElement) {
    this.#version = versionOf(script);
    this.#hash = this.#version.hash;
    this.#base = baseOf(script.src);
    this.#overlay = new Overlay(`${this.#base}_kahnd/`);
    this.#link = new Link(`${this.#base}_kahnd/assets/worker.js`, (message) => {
      this.#hear(message);
    });
    this.#assets = new Assets(this.#base, this.#version.path, () => {
      this.#show();
    }, (old, fresh) => void this.#replaced(old, fresh));
    this.#open();
    this.#follow();
  }

  #follow(): void {
    document.addEventListener("securitypolicyviolation", (event) => {
      const isOurs = event.blockedURI === this.#url || event.sample.startsWith("DOMParser");
      if (isOurs && event.disposition === "enforce") this.#isForbidden = true;
    });
    document.addEventListener("visibilitychange", () => {
      this.#show();
      void this.#catchUp();
    });
    addEventListener("pagehide", () => {
      this.#isLeft = true; // a message would have browsers give up what they keep for the way back
      this.#link.send({ type: "gone", tab: this.#tab });
    });
    addEventListener("pageshow", (event) => {
      this.#isLeft = false;
      if (event.persisted) this.#open(); // the hash tells the daemon how old it is
    });
    afterLoad(() => {
      this.#show();
      this.#keepServed().catch(() => undefined); // it is read when there is another version
    });
  }

  #open(): void {
    const { token, daemon } = this.#version;
    this.#link.send({ type: "open", base: this.#base, page: this.#url, token, daemon });
    this.#show();
  }

  #show(): void {
    if (this.#isLeft) return;
    const assets = this.#assets.used();
    this.#link.send({
      type: "show",
      tab: this.#tab,
      path: this.#version.path,
      hash: this.#hash,
      assets,
      visible: isVisible(),
      age_ms: Math.ceil(this.#assets.age()),
    });
  }

  #hear(message: FromDaemon): void {
    switch (message.type) {
      case "changed":
        if (message.path === this.#version.path) this.#want(message.hash);
        else void this.#assetChanged(message);
        break;
      case "known":
        for (const [path, hash] of Object.entries(message.hashes)) this.#assets.learn(path, hash);
        break;
      case "problems": {
        const problem = message.pages[this.#version.path];
        this.#overlay.count(message.count);
        if (problem === undefined) break;
        if (this.#hash === null) this.#want(null); // the page that says so is on show already, with an older reason
        else this.#overlay.problem(problem);
        break;
      }
      case "welcome":
        break;
    }
  }

  #want(hash: string | null): void {
    this.#wanted = { hash };
    void this.#catchUp();
  }

  /** Comes to the version that is wanted: one update at a time, none while nobody looks, none for what is shown. */
  async #catchUp(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    let wanted: { hash: string | null } | undefined;
    try {
      while (this.#wanted && isVisible()) {
        wanted = this.#wanted;
        this.#wanted = undefined;
        if (wanted.hash === null || wanted.hash !== this.#hash) await this.#update();
        else this.#overlay.notice(""); // the page was gone, and is again as it was
      }
    } catch {
      if (this.#isForbidden && wanted?.hash) {
        location.reload();
        return;
      }
      this.#wanted ??= wanted; // the daemon did not answer
      setTimeout(() => void this.#catchUp(), RETRY_MS);
    } finally {
      this.#isBusy = false;
    }
  }

  async #update(): Promise<void> {
    const [served, fresh] = await Promise.all([this.#keepServed(), this.#fetch("no-cache")]);
    const hash = fresh.version?.hash ?? null;
    if (hash !== null && hash === this.#hash) {
      this.#overlay.notice("");
      return;
    }
    if (!fresh.version || (hash === null && this.#hash !== null)) {
      this.#overlay.notice(GONE);
      return;
    }
    this.#overlay.notice("");
    const now = scripts(fresh.document);
    if ((this.#hash === null && hash !== null) || now.join("\0") !== served.scripts.join("\0")) {
      location.reload();
      return;
    }
    const tree = read(fresh.document.documentElement, false);
    number(served.tree, tree);
    keepingPlace(() => {
      new Update().run(served.tree, tree);
    });
    this.#served = Promise.resolve({ tree, scripts: now });
    this.#hash = hash;
    document.dispatchEvent(new CustomEvent("kahnd:morphed", { detail: { path: this.#version.path, hash } }));
    this.#show();
  }

  async #keepServed(): Promise<{ tree: Part; scripts: string[] }> {
    this.#served ??= this.#readServed();
    try {
      return await this.#served;
    } catch (error) {
      this.#served = undefined; // the daemon did not answer: the next time it may
      throw error;
    }
  }

  /** The page as it was served, and which node each part of it has become; from the browser's cache if it is there. */
  async #readServed(): Promise<{ tree: Part; scripts: string[] }> {
    const served = await this.#fetch("force-cache");
    if (served.version?.hash !== this.#hash) return { tree: this.#shown, scripts: scripts(document) };
    const tree = read(served.document.documentElement, false);
    number(tree, this.#shown);
    pairWithShown(tree, this.#shown);
    return { tree, scripts: scripts(served.document) };
  }

  async #fetch(cache: RequestCache): Promise<{ document: Document; version: Version | undefined }> {
    const answer = await fetch(this.#url, { cache, headers: { Accept: "text/html" } });
    if (!answer.ok && answer.status !== NOT_FOUND) throw new Error(`the answer is ${answer.status}`); // of a proxy, too
    const parsed = new DOMParser().parseFromString(await textOf(answer), "text/html");
    const script = parsed.querySelector<HTMLScriptElement>(OWN_SCRIPT);
    return { document: parsed, version: script ? versionOf(script) : undefined };
  }

  async #assetChanged({ path, hash, kind }: Changed): Promise<void> {
    if (!this.#assets.note(path, hash) || hash === null) return;
    const event = new CustomEvent("kahnd:asset", { detail: { path, hash }, cancelable: true });
    if (!document.dispatchEvent(event)) return;
    if (kind === "script") location.reload();
    else if (kind !== "other" || /\.(woff2?|ttf|otf)$/i.test(path)) await this.#assets.replace(path, hash, kind);
  }

  /** A stylesheet's link stands for another one. */
  async #replaced(old: Element, fresh: Element): Promise<void> {
    const replaceIn = (part: Part): boolean => {
      if (part.live === old) part.live = fresh;
      return part.live === fresh || part.children.some(replaceIn);
    };
    replaceIn(this.#shown);
    if (this.#served) replaceIn((await this.#served).tree);
  }
}

function versionOf(script: HTMLScriptElement): Version {
  const { kahndPath = "", kahndHash = "", kahndDaemon = "", kahndToken = "" } = script.dataset;
  return { path: kahndPath, hash: kahndHash || null, daemon: kahndDaemon, token: kahndToken };
}

/** The text of a page, in the encoding that the browser reads the page in. */
async function textOf(answer: Response): Promise<string> {
  const named = /charset=([^;\s]+)/i.exec(answer.headers.get("Content-Type") ?? "")?.[1];
  return new TextDecoder(named ?? document.characterSet).decode(await answer.arrayBuffer());
}

function isVisible(): boolean {
  return document.visibilityState === "visible";
}

function afterLoad(action: () => void): void {
  const soon = (): void => {
    setTimeout(action);
  };
  if (document.readyState === "complete") soon();
  else addEventListener("load", soon);
}

/** A name that no other tab has; `crypto.randomUUID` is only there in secure contexts. */
function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(36)).join("");
}
