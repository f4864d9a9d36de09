import assert from "node:assert/strict";
import { test } from "node:test";

import { urlsIn, versioned, withUrls } from "../src/page/urls";

test("a srcset names several images, with or without spaces between them", () => {
  for (const value of ["a.png 1x, b.png 2x", "a.png 1x,b.png 2x", " a.png ,b.png", "a.png, b.png 2x", "\na.png\t1x ,\n b.png"]) {
    assert.deepEqual(urlsIn("srcset", value), ["a.png", "b.png"], value);
  }
  assert.deepEqual(urlsIn("srcset", "a,b.png 1x, c.png?d=1,2 2x"), ["a,b.png", "c.png?d=1,2"]);
  assert.deepEqual(urlsIn("src", "a b, c.png"), ["a b, c.png"]);
  assert.deepEqual(urlsIn("srcset", ""), []);
});

test("only the URL itself is another one afterwards", () => {
  const change = (url: string): string => (url === "a.png" ? versioned(url, "0123") : url);
  assert.equal(withUrls("srcset", "x/a.png 2x, a.png 1x", change), "x/a.png 2x, a.png?kahnd=0123 1x");
  assert.equal(withUrls("srcset", "a.png 1x,a.png, b.png", change), "a.png?kahnd=0123 1x,a.png?kahnd=0123, b.png");
  assert.equal(withUrls("src", "a.png", change), "a.png?kahnd=0123");
});
