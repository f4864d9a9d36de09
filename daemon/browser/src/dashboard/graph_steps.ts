// What can be done with a node, and what it is called.

import type { GraphAnswer, GraphNode } from "./answers";
import { counted, number, plural, split } from "./format";

/** Where a node leads: into a folder, to a document's surroundings, or to more of what is left out. */
export type Step = { kind: "open"; folder: string } | { kind: "near"; document: string } | { kind: "more"; folder?: string };

const MOST = 500;

export function stepOf(node: GraphNode): Step {
  if (node.kind === "folder") return { kind: "open", folder: node.name };
  if (node.kind === "more") return node.name ? { kind: "more", folder: node.name } : { kind: "more" };
  return { kind: "near", document: node.name };
}

export function nextLimit(limit: number): string {
  return Math.min(MOST, limit * 4).toString();
}

/** What is written beside a node. */
export function labelOf(node: GraphNode): string {
  if (node.kind === "more") return `+${number(node.count)} more`;
  if (node.kind === "folder") return `${node.name || "project"} (${number(node.count)})`;
  return split(node.name)[1] || node.name;
}

/** All about a node, in a line. */
export function namedBy(node: GraphNode): string {
  const what = { folder: "folder ", document: "", collection: "pattern ", more: "more in " }[node.kind];
  const name = node.kind === "more" && !node.name ? "more" : `${what}${node.name || "project"}`;
  const many = node.count > 1 ? `${plural(node.count, "document")}, ` : "";
  return `${name}: ${many}${counted(node.counts)}`;
}

/** The answer before, with the counts of a fresh one that has nothing else. */
export function merged(before: GraphAnswer, fresh: GraphAnswer): GraphAnswer {
  const { counts } = fresh;
  if (!counts || !before.nodes) return fresh;
  const nodes = before.nodes.map((node, place) => ({ ...node, counts: counts[place] ?? node.counts }));
  return { ...before, revision: fresh.revision, documents: fresh.documents, nodes };
}
