// Takes what is on show from one version of a page to the next.

import { align, inOrder } from "./align";
import { isStylesheet, type Part } from "./tree";

const STYLES_WAIT_MS = 5_000;

/** Finds the nodes on show that the parts of a served page have become; `shown` is what was read from the page. */
export function pairWithShown(served: Part, shown: Part): void {
  served.live = shown.live;
  if (served.id === shown.id) {
    served.children.forEach((child, index) => {
      const node = shown.children[index];
      if (node) pairWithShown(child, node);
    });
    return;
  }
  align(shown.children, served.children).forEach((from, index) => {
    const [child, node] = [served.children[index], shown.children[from]];
    if (child && node) pairWithShown(child, node);
  });
}

/** One update. */
export class Update {
  readonly #arriving: HTMLLinkElement[] = [];
  readonly #leaving: HTMLLinkElement[] = [];

  /** Changes the nodes of `old` where `fresh` differs; afterwards `fresh` is what is on show. */
  run(old: Part, fresh: Part): void {
    this.#change(old, fresh);
    if (this.#leaving.length) void this.#leave();
  }

  #change(old: Part, fresh: Part): void {
    const live = old.live;
    fresh.live = live;
    if (!live) return;
    if (live instanceof Element) {
      if (old.isKept && fresh.isKept) {
        fresh.children = old.children;
        return;
      }
      changeAttributes(live, old.attributes, fresh.attributes);
      if (sameChildren(old, fresh)) fresh.children = old.children;
      else this.#changeChildren(live, old, fresh);
    } else if (live instanceof CharacterData) changeText(live, fresh.text);
  }

  #changeChildren(parent: Element, old: Part, fresh: Part): void {
    const holder = parent instanceof HTMLTemplateElement ? parent.content : parent;
    const matched = align(old.children, fresh.children);
    if (isRewritten(holder, old, fresh, matched)) {
      holder.replaceChildren(...fresh.children.map((child) => this.#make(child)));
      return;
    }
    const kept = new Set(matched);
    old.children.forEach((child, index) => {
      if (!kept.has(index)) this.#remove(child);
    });
    const still = new Set(inOrder(matched));
    let last: Node | undefined;
    fresh.children.forEach((child, index) => {
      const before = old.children[matched[index] ?? -1];
      const now = before ? this.#keep(before, child) : child;
      fresh.children[index] = now;
      const isNew = !now.live && before?.id !== child.id;
      if (isNew) this.#make(now);
      if (now.live && (isNew || (!still.has(index) && now.live.parentNode === holder))) {
        place(holder, now.live, last, old.children);
      }
      last = ancestorIn(holder, now.live) ?? last;
    });
  }

  /** A child that both have: the old part where nothing differs. */
  #keep(old: Part, fresh: Part): Part {
    if (old.id === fresh.id) return old;
    if (old.live?.isConnected) this.#change(old, fresh);
    return fresh;
  }

  #make(part: Part): Node {
    const node = document.importNode(part.source, false);
    part.live = node;
    const holder = node instanceof HTMLTemplateElement ? node.content : node;
    for (const child of part.children) holder.appendChild(this.#make(child));
    if (isStylesheet(node)) this.#arriving.push(node);
    return node;
  }

  #remove(part: Part): void {
    const node = part.live;
    if (!node) return;
    if (isStylesheet(node)) this.#leaving.push(node);
    else node.parentNode?.removeChild(node);
  }

  /** Old stylesheets stay until the new ones are there, so that nothing is ever shown without. */
  async #leave(): Promise<void> {
    await Promise.all(this.#arriving.map(loaded));
    for (const each of this.#leaving) each.remove();
  }
}

/** Resolves once a stylesheet is there, or will not be. */
export function loaded(link: HTMLLinkElement): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      resolve();
    };
    link.addEventListener("load", end);
    link.addEventListener("error", end);
    setTimeout(end, STYLES_WAIT_MS);
  });
}

function sameChildren(old: Part, fresh: Part): boolean {
  return (
    old.children.length === fresh.children.length &&
    old.children.every((child, index) => child.id === fresh.children[index]?.id)
  );
}

/** Sets the attributes that differ between two versions; of classes, each by itself, since scripts add their own. */
function changeAttributes(element: Element, old: ReadonlyMap<string, string>, fresh: ReadonlyMap<string, string>): void {
  for (const name of new Set([...old.keys(), ...fresh.keys()])) {
    const [before, after] = [old.get(name), fresh.get(name)];
    if (before === after) continue;
    if (name === "class") changeClasses(element, before ?? "", after ?? "");
    else if (after === undefined) element.removeAttribute(name);
    else element.setAttribute(name, after);
  }
}

function changeClasses(element: Element, before: string, after: string): void {
  const split = (classes: string): string[] => classes.split(/\s+/).filter(Boolean);
  element.classList.remove(...split(before).filter((each) => !split(after).includes(each)));
  element.classList.add(...split(after));
}

/** Replaces the part of a text that differs: a selection in the rest stays. */
function changeText(node: CharacterData, text: string): void {
  const before = node.data;
  let head = 0;
  while (head < before.length && head < text.length && before[head] === text[head]) head++;
  let tail = 0;
  const most = Math.min(before.length, text.length) - head;
  while (tail < most && before[before.length - 1 - tail] === text[text.length - 1 - tail]) tail++;
  node.replaceData(head, before.length - head - tail, text.slice(head, text.length - tail));
}

/** Tells whether scripts have put nodes of their own in the place of some that change: these can't be told apart. */
function isRewritten(holder: Node, old: Part, fresh: Part, matched: readonly number[]): boolean {
  if (holder instanceof Element && /^(html|head|body)$/.test(holder.localName)) return false;
  const equal = new Set(matched.filter((from, to) => old.children[from]?.id === fresh.children[to]?.id));
  const isLost = (child: Part, index: number): boolean =>
    !equal.has(index) && !child.live?.isConnected && (!child.isText || child.text.trim() !== "");
  if (!old.children.some(isLost)) return false;
  const known = new Set(old.children.map((child) => child.live));
  return [...holder.childNodes].some((node) => !known.has(node));
}

/** Puts a node after the last one; the first one, before those that were there. */
function place(holder: Node, node: Node, last: Node | undefined, old: readonly Part[]): void {
  const following = old.map((part) => ancestorIn(holder, part.live)).find((found) => found !== undefined);
  const next = last ? last.nextSibling : (following ?? holder.firstChild);
  if (next === node || (last && node.previousSibling === last)) return;
  move(holder, node, next);
}

/** Moves without a reload of what is in it, where browsers can. */
function move(holder: Node, node: Node, next: Node | null): void {
  const able = holder as Node & { moveBefore?: (node: Node, next: Node | null) => void };
  if (node.isConnected && able.moveBefore) able.moveBefore(node, next);
  else holder.insertBefore(node, next);
}

/** The child of `holder` that a node is in: scripts wrap nodes in others. */
function ancestorIn(holder: Node, node: Node | undefined): Node | undefined {
  let found: Node | null = node ?? null;
  while (found && found.parentNode !== holder) found = found.parentNode;
  return found ?? undefined;
}

