import assert from "node:assert/strict";
import { test } from "node:test";

import { BackOff } from "../src/live/back_off";
import type { FromDaemon, Problem, Show } from "../src/live/messages";
import { Tabs } from "../src/live/tabs";

function show(tab: string, path: string, assets: Record<string, string | null> = {}): Show {
  return { type: "show", tab, path, hash: "1", assets, visible: true, age_ms: 0 };
}

const PROBLEM: Problem = {
  document: "a.md", status: "FAILED", culprit: "a.md", message: "m", file: "", line: 0, column: 0, remedy: "", detail: "",
  excerpt: [], chain: [], editor: "",
};

function two(): Tabs<string> {
  const tabs = new Tabs<string>();
  tabs.show("port 1", show("one", "a.html", { "style.css": null }));
  tabs.show("port 2", show("two", "b.html"));
  return tabs;
}

test("a change is for the tabs that show or use what has changed, and for no other", () => {
  const changed = (path: string): FromDaemon => ({ type: "changed", path, hash: "2", kind: "page" });
  const ports = (path: string): string[] => two().receivers(changed(path)).map(([port]) => port);
  assert.deepEqual(ports("a.html"), ["port 1"]);
  assert.deepEqual(ports("style.css"), ["port 1"]);
  assert.deepEqual(ports("c.html"), []);
});

test("each tab hears the number of problems, and of problems only its own", () => {
  const heard = two().receivers({ type: "problems", count: 2, pages: { "b.html": PROBLEM, "c.html": PROBLEM } });
  assert.deepEqual(heard, [
    ["port 1", { type: "problems", count: 2, pages: {} }],
    ["port 2", { type: "problems", count: 2, pages: { "b.html": PROBLEM } }],
  ]);
});

test("a tab hears the hashes of what it uses", () => {
  const heard = two().receivers({ type: "known", hashes: { "style.css": "3", "other.css": "4" } });
  assert.deepEqual(heard, [["port 1", { type: "known", hashes: { "style.css": "3" } }]]);
});

test("what has gone hears nothing, and is shown to no daemon", () => {
  const tabs = two();
  tabs.gone("one");
  assert.deepEqual(tabs.shown().map((each) => each.tab), ["two"]);
  assert.deepEqual(tabs.of("port 2"), ["two"]);
  assert.deepEqual(tabs.of("port 1"), []);
});

test("tries come less and less often, for ever, and often again after a success", () => {
  const backOff = new BackOff();
  const waits = Array.from({ length: 20 }, () => backOff.next(0.5));
  assert.deepEqual(waits.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(waits.at(-1), 3_000);
  backOff.reset();
  assert.equal(backOff.next(0.5), 100);
});
