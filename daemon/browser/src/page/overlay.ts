// What kahnd shows over a page: why it could not be rendered, how many documents are broken, that it is gone.
//
// It stands in a shadow tree beside the body, so that neither it nor the page changes how the other looks.

import type { Problem } from "../live/messages";
import { element } from "./element";
import styles from "./overlay.text.css";
import { isEditorLink, problemKey } from "./problem_key";

const CLOSED = "kahnd-closed";

export class Overlay {
  readonly #dashboard: string;
  #root: HTMLElement | undefined;
  #problem: Problem | null = null;
  #count = 0;
  #notice = "";
  #focusBefore: Element | null = null;

  constructor(dashboard: string) {
    this.#dashboard = dashboard;
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isOpen()) {
        event.stopImmediatePropagation();
        this.#close();
      }
    }, true);
  }

  /** Shows what is wrong with the page; `null` when it is mended. */
  problem(problem: Problem | null): void {
    const isNew = problem && (!this.#problem || problemKey(problem) !== problemKey(this.#problem));
    if (!problem) remember("");
    if (!isNew && problem === this.#problem) return;
    this.#problem = problem;
    this.#draw();
    if (isNew && this.#isOpen() && document.activeElement === document.body) this.#panel()?.focus();
  }

  /** Shows how many documents are broken. */
  count(count: number): void {
    if (count === this.#count) return;
    this.#count = count;
    this.#draw();
  }

  /** Shows a sentence; an empty one takes it away. */
  notice(text: string): void {
    if (text === this.#notice) return;
    this.#notice = text;
    this.#draw();
  }

  #isOpen(): boolean {
    return this.#problem !== null && remembered() !== problemKey(this.#problem);
  }

  #close(): void {
    if (this.#problem) remember(problemKey(this.#problem));
    this.#draw();
    if (this.#focusBefore instanceof HTMLElement) this.#focusBefore.focus({ preventScroll: true });
  }

  #panel(): HTMLElement | null {
    return this.#root?.querySelector<HTMLElement>(".panel") ?? null;
  }

  #draw(): void {
    if (!this.#root && !this.#problem && !this.#count && !this.#notice) return;
    const root = (this.#root ??= attach());
    const parts: Node[] = [];
    if (this.#problem && this.#isOpen()) {
      this.#focusBefore = document.activeElement;
      parts.push(element("div", { class: "shade" }), this.#panelOf(this.#problem));
    }
    parts.push(this.#corner());
    parts.push(element("p", { class: "notice", role: "status", hidden: this.#notice ? undefined : "" }, this.#notice));
    root.replaceChildren(...parts);
  }

  #corner(): Node {
    const corner = element("div", { class: "corner" });
    if (this.#problem && !this.#isOpen()) {
      const again = element("button", { class: "again", type: "button" }, "Show what is wrong with this page");
      again.addEventListener("click", () => {
        remember("");
        this.#draw();
        this.#panel()?.focus();
      });
      corner.append(again);
    }
    if (this.#count) {
      const text = this.#count === 1 ? "1 document is broken" : `${this.#count} documents are broken`;
      corner.append(element("a", { class: "count", href: this.#dashboard }, text));
    }
    return corner;
  }

  #panelOf(problem: Problem): HTMLElement {
    const close = element("button", { class: "close", type: "button", title: "Esc" }, "Close");
    close.addEventListener("click", () => {
      this.#close();
    });
    const title = problem.status === "FAILED" ? `${problem.document} could not be rendered`
      : `${problem.document} waits for ${problem.culprit}`;
    return element(
      "section",
      { class: "panel", role: "alertdialog", "aria-labelledby": "title", "aria-describedby": "message", tabindex: "-1" },
      element("h2", { id: "title" }, title),
      close,
      element("p", { id: "message", class: "message" }, problem.message),
      place(problem),
      excerpt(problem),
      problem.remedy ? element("p", {}, `Remedy: ${problem.remedy}`) : undefined,
      chain(problem),
      problem.detail ? element("pre", { class: "detail", tabindex: "0", "aria-label": "Output" }, problem.detail) : undefined,
      element("p", { class: "quiet" }, "Below is the page as it was rendered last. Esc closes this."),
    );
  }
}

function attach(): HTMLElement {
  const host = document.createElement("kahnd-overlay");
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet(); // a page's content security policy may forbid <style>
  sheet.replaceSync(styles);
  shadow.adoptedStyleSheets = [sheet];
  const root = element("div", { class: "all" });
  shadow.append(root);
  document.documentElement.append(host);
  return root;
}

function place(problem: Problem): Node | undefined {
  if (!problem.file) return undefined;
  const text = [problem.file, problem.line, problem.line && problem.column].filter(Boolean).join(":");
  if (!isEditorLink(problem.editor)) return element("p", {}, text);
  return element("p", {}, element("a", { class: "editor", href: problem.editor }, text));
}

function excerpt(problem: Problem): Node | undefined {
  if (!problem.excerpt.length) return undefined;
  const lines = problem.excerpt.map(({ line, text }) =>
    element(
      "span",
      { class: line === problem.line ? "line here" : "line" },
      element("span", { class: "number" }, String(line)),
      text,
    ),
  );
  return element("pre", { class: "excerpt", tabindex: "0", "aria-label": `Lines of ${problem.file}` }, ...lines);
}

function chain(problem: Problem): Node | undefined {
  if (problem.chain.length < 2) return undefined;
  return element("ul", { class: "chain" }, ...problem.chain.map((each) => element("li", {}, each)));
}

/** The problem that was closed, as long as the tab is open; where a page may store nothing, until it is left. */
let closed = "";

function remembered(): string {
  try {
    return sessionStorage.getItem(CLOSED + location.pathname) ?? "";
  } catch {
    return closed;
  }
}

function remember(key: string): void {
  closed = key;
  try {
    if (key) sessionStorage.setItem(CLOSED + location.pathname, key);
    else sessionStorage.removeItem(CLOSED + location.pathname);
  } catch {
    return; // kept in memory
  }
}
