// The page as it was served, with the node of the page on show that each part of it has become.
//
// A part that is equal in the next version is kept as it is, and so is its node, whatever scripts and the reader have
// done to it: only what the source changed is touched.

import type { Comparable } from "./align";

export const KEEP = "data-kahnd-keep";
export const OWN_SCRIPT = "script[data-kahnd-path]";
const MOST_WORDS = 200;

/** A node as served: an element, a text or a comment. */
export class Part implements Comparable {
  /** The node on show; none if a script took it away, or it is not made yet. */
  live: Node | undefined;
  id = -1;
  #words: Set<string> | undefined;

  constructor(
    readonly source: Node,
    readonly key: string,
    readonly name: string,
    readonly attributes: ReadonlyMap<string, string>,
    public children: Part[],
    readonly text: string,
  ) {}

  get isText(): boolean {
    return this.key === "#text";
  }

  get isKept(): boolean {
    return this.attributes.has(KEEP);
  }

  words(): ReadonlySet<string> {
    return (this.#words ??= new Set(this.#allWords().slice(0, MOST_WORDS)));
  }

  #allWords(): string[] {
    if (this.text) return this.text.split(/\s+/).filter(Boolean);
    const own = [...this.attributes].map(([name, value]) => `${name}=${value}`);
    const below: string[] = [];
    for (const child of this.children) {
      below.push(...child.words());
      if (below.length > MOST_WORDS) break;
    }
    return [...below, ...own];
  }
}

/** Reads a tree; with `live`, its own nodes are those on show. Kahnd's own script is no part of it. */
export function read(node: Node, live: boolean): Part {
  const part = node instanceof Element ? readElement(node, live) : readText(node);
  if (live) part.live = node;
  return part;
}

function readElement(element: Element, live: boolean): Part {
  const attributes = new Map([...element.attributes].map((each) => [each.name, each.value]));
  const children = childNodes(element).map((child) => read(child, live));
  const name = element.id || (attributes.get(KEEP) ?? "");
  return new Part(element, keyOf(element), name, attributes, children, "");
}

function readText(node: Node): Part {
  return new Part(node, node.nodeName, "", new Map(), [], node.nodeValue ?? "");
}

/** Gives equal subtrees of these trees, and only these, the same id. */
export function number(...trees: Part[]): void {
  const known = new Map<string, number>();
  const give = (part: Part): number => {
    const below = part.children.map(give);
    const attributes = [...part.attributes].sort().map((each) => each.join("="));
    const content = [part.key, part.text, ...attributes, "", ...below].join("\0");
    part.id = known.get(content) ?? known.size;
    known.set(content, part.id);
    return part.id;
  };
  trees.forEach(give);
}

/** A stylesheet with another address is another one, so that the old one can stay until the new one is there. */
function keyOf(element: Element): string {
  const key = `${element.namespaceURI ?? ""} ${element.localName}`;
  return isStylesheet(element) ? `${key} ${element.getAttribute("href") ?? ""}` : key;
}

export function isStylesheet(node: Node): node is HTMLLinkElement {
  return node instanceof Element && node.localName === "link" && /\bstylesheet\b/i.test(node.getAttribute("rel") ?? "");
}

/** The nodes that count: not kahnd's script, nor what is in <noscript>, which browsers read in two ways. */
export function childNodes(element: Element): Node[] {
  if (element.localName === "noscript") return [];
  const holder = element instanceof HTMLTemplateElement ? element.content : element;
  return [...holder.childNodes].filter((child) => counts(child));
}

function counts(node: Node): boolean {
  if (node instanceof Element) return !node.matches(OWN_SCRIPT) && node.localName !== "kahnd-overlay";
  return node.nodeType === Node.TEXT_NODE || node.nodeType === Node.COMMENT_NODE;
}

/** The scripts of a page that run, each as text that differs where they differ. */
export function scripts(root: ParentNode): string[] {
  return [...root.querySelectorAll("script")]
    .filter((script) => !script.matches(OWN_SCRIPT) && isExecutable(script.getAttribute("type")))
    .map((script) => [...script.attributes].map((each) => `${each.name}=${each.value}`).join(" ") + script.text);
}

/** Data blocks do not run. */
export function isExecutable(type: string | null): boolean {
  return !type || /^(module|importmap|speculationrules|(text|application)\/(x-)?(java|ecma)script)$/i.test(type.trim());
}
