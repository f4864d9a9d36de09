// Whether a problem is the one that the reader has closed. Pure.

import type { Problem } from "../live/messages";

/** Equal for a problem that is told again, and only for that. */
export function problemKey(problem: Problem): string {
  const { document, status, culprit, message, file, line, column, detail } = problem;
  return JSON.stringify([document, status, culprit, message, file, line, column, detail]);
}

/** Editors register schemes of their own; what a browser would open or run itself is no editor. */
export function isEditorLink(url: string): boolean {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  return scheme !== undefined && !/^(https?|wss?|ftp|file|data|blob|about|filesystem|javascript|vbscript)$/.test(scheme);
}
