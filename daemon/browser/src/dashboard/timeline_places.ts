// Where the parts of a timeline stand.

import type { Span } from "./answers";

const STEPS = [1, 2, 5];
const TICKS = 8;

/** The workers that rendered anything, from the first. */
export function lanes(spans: readonly Span[]): number[] {
  return [...new Set(spans.map((each) => each.lane))].sort((one, other) => one - other);
}

/** Round moments, in milliseconds, about as many as can be read. */
export function ticks(whole: number, zoom: number): number[] {
  const least = whole / (TICKS * zoom);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = (STEPS.find((each) => each * power >= least) ?? 10) * power;
  return Array.from({ length: Math.floor(whole / step) + 1 }, (_, place) => place * step);
}

/** What each rendering waited for, if that is shown: the latest rendering of that document that ended before. */
export function arrows(spans: readonly Span[]): [from: Span, to: Span][] {
  const latest = new Map<string, Span>();
  const found: [Span, Span][] = [];
  for (const each of spans) {
    const before = each.after === null ? undefined : latest.get(each.after);
    if (before) found.push([before, each]);
    latest.set(each.document, each);
  }
  return found;
}
