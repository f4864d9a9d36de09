import assert from "node:assert/strict";
import { test } from "node:test";

import { baseOf, outputPath } from "../src/page/base";

test("the base is what stands before kahnd's own script, also behind a proxy's path", () => {
  assert.equal(baseOf("http://127.0.0.1:8300/_kahnd/assets/client.js"), "http://127.0.0.1:8300/");
  assert.equal(baseOf("https://docs.example/team/_kahnd/assets/client.js"), "https://docs.example/team/");
});

test("an output path is a URL's path below the base, and a folder's is that of its index", () => {
  const base = "https://docs.example/team/";
  assert.equal(outputPath(base, "https://docs.example/team/a%20b/x.css?v=1#top"), "a b/x.css");
  assert.equal(outputPath(base, "https://docs.example/team/guide/"), "guide/index.html");
  assert.equal(outputPath(base, "https://docs.example/team/"), "index.html");
});

test("what is elsewhere, kahnd's own, or no name has no output path", () => {
  const base = "https://docs.example/team/";
  assert.equal(outputPath(base, "https://docs.example/other/x.css"), undefined);
  assert.equal(outputPath(base, "https://docs.example/team/_kahnd/live"), undefined);
  assert.equal(outputPath(base, "https://docs.example/team/%FF"), undefined);
});
