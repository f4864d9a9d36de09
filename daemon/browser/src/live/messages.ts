// What the daemon and browsers tell each other (kahnd/web/messages.py), and what tabs and their worker do.

/** A failure that a page shows. */
export interface Problem {
  document: string;
  status: "FAILED" | "BLOCKED";
  culprit: string;
  message: string;
  file: string;
  line: number;
  column: number;
  remedy: string;
  detail: string;
  excerpt: { line: number; text: string }[];
  chain: string[];
  editor: string;
}

export type Kind = "page" | "style" | "image" | "script" | "other";

/** The hash of an output is another one than a tab shows; `null`: there is none any more. */
export interface Changed {
  type: "changed";
  path: string;
  hash: string | null;
  kind: Kind;
}

/** The hashes of what a tab uses, where it did not know them. */
export interface Known {
  type: "known";
  hashes: Record<string, string>;
}

/** How many documents are broken, and what is wrong with the pages that are shown (`null`: nothing). */
export interface Problems {
  type: "problems";
  count: number;
  pages: Record<string, Problem | null>;
}

export interface Welcome {
  type: "welcome";
  daemon: string;
}

export type FromDaemon = Welcome | Changed | Known | Problems;

/** What a tab shows: its page and what that uses, with hashes where they are known. */
export interface Show {
  type: "show";
  tab: string;
  path: string;
  hash: string | null;
  assets: Record<string, string | null>;
  visible: boolean;
  /** For how long assets of unknown hash are in use: what has changed since may be old in the page. */
  age_ms: number;
}

export interface Gone {
  type: "gone";
  tab: string;
}

export type ToDaemon = { type: "hello"; daemon: string } | Show | Gone;

/** A tab introduces itself to its worker: where the daemon is, and the page that tells a new token. */
export interface Open {
  type: "open";
  base: string;
  page: string;
  token: string;
  daemon: string;
}

export type FromTab = Open | Show | Gone;
