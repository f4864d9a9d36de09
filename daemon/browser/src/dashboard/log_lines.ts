// The lines of the log that are kept and shown.

import type { LogLines } from "./answers";

export const MOST = 2_000;
const AROUND = 10;

/** The lines before and those that came after them; the oldest go. */
export function joined(before: LogLines, fresh: LogLines): LogLines {
  if (before.life !== fresh.life) return fresh;
  if (!fresh.lines.length) return { ...fresh, lines: before.lines };
  return { ...fresh, lines: [...before.lines, ...fresh.lines].slice(-MOST) };
}

/** Which of so many lines of one height are in view, or nearly. */
export function windowOf(count: number, top: number, height: number, line: number): { start: number; end: number } {
  const start = Math.max(0, Math.min(count, Math.floor(top / line)) - AROUND);
  return { start, end: Math.min(count, Math.ceil((top + height) / line) + AROUND) };
}
