// The URLs in an attribute's value. Pure.

const PARAMETER = "kahnd";
/** An image of a `srcset`: what is before it, its URL, and its descriptor or, where it has none, the comma. */
const CANDIDATE = /([\s,]*)(\S*[^\s,])(,+(?:\s|$)|[^,]*)/g;

/** The URLs that an attribute names: several in a `srcset`. */
export function urlsIn(name: string, value: string): string[] {
  const found: string[] = [];
  withUrls(name, value, (url) => {
    found.push(url);
    return url;
  });
  return found;
}

/** The value of an attribute with other URLs in the place of its own. */
export function withUrls(name: string, value: string, change: (url: string) => string): string {
  if (name !== "srcset") return value && change(value);
  return value.replace(CANDIDATE, (_, before: string, url: string, after: string) => `${before}${change(url)}${after}`);
}

/** A URL with a parameter that makes it another one; written as it was. */
export function versioned(url: string, version: string): string {
  const [plain, fragment] = [url.replace(/#.*$/s, ""), /#.*$/s.exec(url)?.[0] ?? ""];
  const bare = plain.replace(new RegExp(`([?&])${PARAMETER}=[^&]*&?`), "$1").replace(/[?&]$/, "");
  return `${bare}${bare.includes("?") ? "&" : "?"}${PARAMETER}=${version}${fragment}`;
}
