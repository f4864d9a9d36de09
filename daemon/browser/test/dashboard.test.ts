import assert from "node:assert/strict";
import { test } from "node:test";

import type { GraphAnswer, GraphNode, LogLines, Span } from "../src/dashboard/answers";
import { Daemon } from "../src/dashboard/daemon";
import { counted, duration, moment, plural, split, worst } from "../src/dashboard/format";
import { labelOf, merged, namedBy, nextLimit, stepOf } from "../src/dashboard/graph_steps";
import { Labels, scaled } from "../src/dashboard/graph_places";
import { joined, MOST, windowOf } from "../src/dashboard/log_lines";
import { hashOf, routeOf } from "../src/dashboard/route";
import { arrows, lanes, ticks } from "../src/dashboard/timeline_places";

test("a hash names a view, an argument and a query, and every name comes back as it was", () => {
  for (const name of ["docs/a.md", "docs/ä b?c#d%.md", "docs/<script>.md", "a//b"]) {
    const route = routeOf(hashOf("documents", name, { q: "x&y=z" }));
    assert.deepEqual([route.view, route.argument, route.query.get("q")], ["documents", name, "x&y=z"]);
  }
  assert.deepEqual(routeOf(hashOf("graph", "", { open: ["a", "b/c"], document: "" })).query.getAll("open"), ["a", "b/c"]);
});

test("what names no view is the overview, and broken escapes do no harm", () => {
  assert.equal(routeOf("").view, "overview");
  assert.equal(routeOf("#/nowhere/at all").view, "overview");
  assert.equal(routeOf("#/documents/%E0%A4%A").argument, "%E0%A4%A");
});

test("numbers and times are told as people read them", () => {
  assert.deepEqual([0.04, 9.96, 640, 3_210, 45_600, 125_000].map(duration), ["0 ms", "10 ms", "640 ms", "3.2 s", "46 s", "2 min 5 s"]);
  assert.deepEqual([plural(1, "node"), plural(1_200, "node")], ["1 node", "1,200 nodes"]);
  assert.match(moment("2026-01-31T12:00:00Z", new Date("2026-02-03")), /^2026-01-31 \d\d:00:00$/);
  assert.equal(moment("never"), "never");
});

test("of several statuses the most urgent is shown first", () => {
  assert.equal(worst([0, 0, 5, 100, 0]), "dirty");
  assert.equal(worst([0, 0, 0, 0, 0]), "done");
  assert.equal(counted([2, 0, 0, 1_000, 1]), "2 failed, 1 missing, 1,000 done");
});

test("a path has a folder and a name", () => {
  assert.deepEqual(split("docs/a/b.md"), ["docs/a/", "b.md"]);
  assert.deepEqual(split("b.md"), ["", "b.md"]);
});

test("addresses are below the base, and empty values are left out", () => {
  const daemon = new Daemon("https://docs.example/team/", "t", "d", "p");
  assert.equal(daemon.address("graph", { open: ["a b", "c"], document: undefined, up: 2, content: "" }), "https://docs.example/team/_kahnd/api/graph?open=a+b&open=c&up=2");
  assert.equal(daemon.page("a b/c#.html"), "https://docs.example/team/a%20b/c%23.html");
});

function node(more: Partial<GraphNode>): GraphNode {
  return { kind: "document", name: "docs/a.md", x: 0, y: 0, generation: 0, count: 1, counts: [0, 0, 0, 1, 0], ...more };
}

test("a node leads into a folder, to a document's surroundings, or to more", () => {
  assert.deepEqual(stepOf(node({ kind: "folder", name: "docs" })), { kind: "open", folder: "docs" });
  assert.deepEqual(stepOf(node({ kind: "collection", name: "/docs/*.md" })), { kind: "near", document: "/docs/*.md" });
  assert.deepEqual(stepOf(node({ kind: "more", name: "docs" })), { kind: "more", folder: "docs" });
  assert.deepEqual(stepOf(node({ kind: "more", name: "" })), { kind: "more" });
  assert.deepEqual([nextLimit(24), nextLimit(400)], ["96", "500"]);
});

test("a node is named by what it stands for", () => {
  assert.equal(labelOf(node({ kind: "folder", name: "docs", count: 1_000 })), "docs (1,000)");
  assert.equal(labelOf(node({ kind: "more", count: 30 })), "+30 more");
  assert.equal(namedBy(node({ kind: "folder", name: "", count: 3, counts: [1, 0, 0, 2, 0] })), "folder project: 3 documents, 1 failed, 2 done");
});

test("new counts are put into the nodes that are known, and a new view replaces them", () => {
  const before: GraphAnswer = { shape: 1, revision: 1, documents: 1, nodes: [node({})], edges: [] };
  const changed = merged(before, { shape: 1, revision: 2, documents: 1, counts: [[1, 0, 0, 0, 0]] });
  assert.deepEqual([changed.nodes?.[0]?.counts, changed.edges === before.edges], [[1, 0, 0, 0, 0], true]);
  const other: GraphAnswer = { shape: 2, revision: 3, documents: 0, nodes: [] };
  assert.equal(merged(before, other), other);
});

test("nodes are within the screen whatever their number, and few do not fly apart", () => {
  for (const count of [1, 2, 40, 2_000]) {
    const nodes = Array.from({ length: count }, (_, each) => ({ x: (each % 7) * 4, y: Math.floor(each / 7) }));
    for (const [x, y] of scaled(nodes, 800, 400)) assert.ok(x >= 0 && x <= 800 && y >= 0 && y <= 400);
  }
  assert.deepEqual(scaled([{ x: 3, y: 3 }], 800, 400), [[400, 200]]);
  const [[x] = [0], [other] = [0]] = scaled([{ x: 0, y: 0 }, { x: 4, y: 0 }], 2_000, 400);
  assert.equal(other - x, 240);
});

test("no name is written over another", () => {
  const labels = new Labels();
  const box = { x: 0, y: 0, width: 100, height: 14 };
  assert.deepEqual([labels.take(box), labels.take(box), labels.take({ ...box, x: 99 }), labels.take({ ...box, y: 14 })], [true, false, false, true]);
});

test("the log keeps the newest lines, and begins anew with another daemon", () => {
  const line = { timestamp: "", level: "info", event: "x" };
  const lines = (from: number, to: number): LogLines["lines"] => Array.from({ length: to - from }, (_, each) => ({ number: from + each, line }));
  const before: LogLines = { life: "a", first: 1, last: 1_999, lines: lines(0, 1_999) };
  const after = joined(before, { life: "a", first: 1, last: 2_010, lines: lines(1_999, 2_010) });
  assert.deepEqual([after.lines.length, after.lines[0]?.number, after.last], [MOST, 10, 2_010]);
  assert.equal(joined(before, { life: "a", first: 1, last: 2_000, lines: [] }).lines, before.lines);
  assert.equal(joined(before, { life: "b", first: 1, last: 1, lines: lines(0, 1) }).lines.length, 1);
});

test("only the lines in view are shown, and some around them", () => {
  assert.deepEqual(windowOf(2_000, 28_000, 560, 28), { start: 990, end: 1_030 });
  assert.deepEqual(windowOf(5, 0, 560, 28), { start: 0, end: 5 });
  assert.deepEqual(windowOf(0, 0, 560, 28), { start: 0, end: 0 });
});

function span(document: string, lane: number, started_ms: number, after: string | null = null): Span {
  return { document, lane, ready_ms: 0, started_ms, ended_ms: started_ms + 5, generation: 0, ending: "rendered", after, critical: false };
}

test("an arrow leads from what was waited for, if it is shown", () => {
  const spans = [span("a", 2, 0), span("b", 0, 10, "a"), span("c", 0, 20, "gone"), span("a", 1, 30), span("d", 0, 40, "a")];
  assert.deepEqual(arrows(spans).map(([from, to]) => [from.document, from.started_ms, to.document]), [["a", 0, "b"], ["a", 30, "d"]]);
  assert.deepEqual(lanes(spans), [0, 1, 2]);
});

test("moments on the axis are round, and no more than can be read", () => {
  assert.deepEqual(ticks(1_000, 1), [0, 200, 400, 600, 800, 1_000]);
  for (const whole of [0.5, 7, 1_234, 98_765]) {
    for (const zoom of [1, 8]) assert.ok(ticks(whole, zoom).length <= 8 * zoom + 1);
  }
});
