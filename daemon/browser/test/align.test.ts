import assert from "node:assert/strict";
import { test } from "node:test";

import { align, bestPairs, type Comparable, inOrder } from "../src/page/align";

const ids = new Map<string, number>();

/** `p: some words` or `p#name: some words`. */
function node(text: string): Comparable {
  const [, key = "", name = "", words = ""] = /^(\w+)(?:#(\w+))?: ?(.*)$/.exec(text) ?? [];
  if (!ids.has(text)) ids.set(text, ids.size);
  return { id: ids.get(text) ?? -1, key, name, words: () => new Set(words.split(" ").filter(Boolean)) };
}

/** What each new child was before: the text of the old one, or `undefined`. */
function before(old: string[], fresh: string[]): (string | undefined)[] {
  return align(old.map(node), fresh.map(node)).map((from) => old[from]);
}

test("what is equal is found, whatever is put before, between or after it", () => {
  const old = ["p: one", "p: two", "p: three"];
  assert.deepEqual(before(old, ["p: zero", ...old]), [undefined, ...old]);
  assert.deepEqual(before(old, ["p: one", "p: new", "p: two", "p: three"]), ["p: one", undefined, "p: two", "p: three"]);
  assert.deepEqual(before(old, ["p: one", "p: three"]), ["p: one", "p: three"]);
});

test("an edited node is the old one, also beside one that is new", () => {
  const old = ["p: the quick brown fox", "p: jumps over the lazy dog"];
  const fresh = ["p: something else entirely", "p: the quick red fox", "p: jumps over a lazy dog"];
  assert.deepEqual(before(old, fresh), [undefined, ...old]);
});

test("nodes of different kinds are never the same", () => {
  assert.deepEqual(before(["p: text"], ["h1: text"]), [undefined]);
});

test("what is moved is found", () => {
  assert.deepEqual(before(["p: a", "p: b", "video: v"], ["video: v", "p: a", "p: b"]), ["video: v", "p: a", "p: b"]);
});

test("a node with a name is found by it, however it has changed, and is nothing else", () => {
  const old = ["div#one: a b c", "div#two: d e f"];
  assert.deepEqual(before(old, ["div#two: a b c", "div: d e f"]), ["div#two: d e f", undefined]);
});

test("each old node is one new node at most", () => {
  const old = ["li: same", "li: same", "li: other"];
  const found = align(old.map(node), ["li: same", "li: same", "li: same", "li: other"].map(node));
  const matched = found.filter((from) => from >= 0);
  assert.equal(new Set(matched).size, matched.length);
});

test("thousands of changed children are aligned in reasonable time", () => {
  const old = Array.from({ length: 5_000 }, (_, index) => node(`p: text ${index}`));
  const fresh = Array.from({ length: 5_000 }, (_, index) => node(`p: other ${index}`));
  const begin = performance.now();
  assert.equal(align(old, fresh).filter((from) => from >= 0).length, 5_000);
  assert.ok(performance.now() - begin < 2_000);
});

test("the best pairs keep their order and have the highest sum", () => {
  const scores = [
    [1, 5],
    [4, 1],
  ];
  assert.deepEqual(bestPairs(2, 2, (i, j) => scores[i]?.[j] ?? 0), [[0, 1]]);
  assert.deepEqual(bestPairs(0, 3, () => 1), []);
});

test("what is in order need not be moved", () => {
  assert.deepEqual(inOrder([2, 0, 1, -1, 3]), [1, 2, 4]);
  assert.deepEqual(inOrder([]), []);
});
