// Numbers, times and statuses as people read them.

export const STATUSES = ["failed", "blocked", "dirty", "done", "missing"] as const; // the order of counts in the graph

export type StatusName = (typeof STATUSES)[number];

/** The status that a node shows: the first of these that any of its documents has. */
const URGENT: readonly StatusName[] = ["failed", "blocked", "missing", "dirty", "done"];

export function worst(counts: readonly number[]): StatusName {
  return URGENT.find((each) => (counts[STATUSES.indexOf(each)] ?? 0) > 0) ?? "done";
}

/** "3 failed, 117 done" */
export function counted(counts: readonly number[]): string {
  const parts = URGENT.map((each) => [counts[STATUSES.indexOf(each)] ?? 0, each] as const);
  return parts.filter(([count]) => count > 0).map(([count, each]) => `${number(count)} ${each}`).join(", ");
}

const NUMBERS = new Intl.NumberFormat("en");

export function number(value: number): string {
  return NUMBERS.format(value);
}

/** "3 documents" */
export function plural(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** "640 ms", "3.2 s", "2 min 5 s" */
export function duration(ms: number): string {
  if (ms < 10) return `${(Math.round(ms * 10) / 10).toString()} ms`;
  if (ms < 1_000) return `${Math.round(ms).toString()} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60).toString()} min ${(seconds % 60).toString()} s`;
}

/** A moment in local time: only the time if it is of today. */
export function moment(iso: string, now = new Date()): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (date.toDateString() === now.toDateString()) return time;
  return `${date.getFullYear().toString()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

function two(value: number): string {
  return value.toString().padStart(2, "0");
}

/** The last part of a path, and what comes before it. */
export function split(path: string): [folder: string, name: string] {
  const at = path.replace(/\/$/, "").lastIndexOf("/") + 1;
  return [path.slice(0, at), path.slice(at)];
}
