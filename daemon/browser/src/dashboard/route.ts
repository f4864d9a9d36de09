// The view that the address names: `#/view/argument?key=value&key=value`.

export const VIEWS = ["overview", "documents", "graph", "timeline", "history", "log"] as const;

export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  /** A document, or a build. */
  argument: string;
  query: URLSearchParams;
}

/** What a hash names; the overview, where it names nothing. */
export function routeOf(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name = "", ...rest] = path.split("/");
  const view = VIEWS.find((each) => each === name);
  return { view: view ?? "overview", argument: view ? decoded(rest.join("/")) : "", query: new URLSearchParams(search) };
}

/** The hash that names a view; empty values are left out. */
export function hashOf(view: View, argument = "", query: Record<string, string | readonly string[]> = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const each of typeof value === "string" ? [value] : value) if (each) search.append(key, each);
  }
  const path = argument ? `/${argument.split("/").map(encodeURIComponent).join("/")}` : "";
  const text = search.toString();
  return `#/${view}${path}${text ? `?${text}` : ""}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
