import { element } from "./dom.js";

/** Lists the second-level headings of the page, each with a link to it. */
export function contents(place) {
  if (!place) return;
  for (const heading of document.querySelectorAll("h2[id]")) {
    const link = element("a", heading.textContent);
    link.href = `#${heading.id}`;
    place.append(link, " ");
  }
}
