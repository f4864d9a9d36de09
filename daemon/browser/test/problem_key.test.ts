import assert from "node:assert/strict";
import { test } from "node:test";

import { isEditorLink } from "../src/page/problem_key";

test("editors have schemes of their own, and nothing else is a link to one", () => {
  for (const url of ["vscode://file/a.md:1:2", "idea://open?file=/a.md&line=1", "zed://file/a.md"]) {
    assert.ok(isEditorLink(url), url);
  }
  for (const url of ["", "/a.md", "https://x.example/", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x"]) {
    assert.ok(!isEditorLink(url), url);
  }
});
