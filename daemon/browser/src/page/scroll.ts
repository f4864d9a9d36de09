// Keeps what the reader looks at where it is, whatever changes above it.

const MOST_ANCHORS = 50;
const STILL = "html, html * { overflow-anchor: none !important }";

interface Anchor {
  element: Element;
  top: number;
}

interface Scroller {
  element: Element;
  anchors: Anchor[];
}

/** Runs a change of the page so that the topmost element in view that survives it stays where it is. */
export function keepingPlace(change: () => void): void {
  const scrollers = scrolled().map((element) => ({ element, anchors: anchorsIn(element) }));
  if (!scrollers.length) {
    change();
    return;
  }
  const still = new CSSStyleSheet(); // the browser's own anchoring would add to ours
  still.replaceSync(STILL);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, still];
  change();
  scrollers.forEach(restore);
  requestAnimationFrame(() => {
    scrollers.forEach(restore);
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== still);
  });
}

/** The page and the boxes in the middle of the view, if they are scrolled. */
function scrolled(): Element[] {
  const found = new Set<Element>();
  const root = document.scrollingElement;
  if (root && root.scrollTop > 0) found.add(root);
  let element = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
  for (; element; element = element.parentElement) if (element.scrollTop > 0) found.add(element);
  return [...found];
}

/** The elements at the top of a scroller's view, the topmost and innermost first. */
function anchorsIn(scroller: Element): Anchor[] {
  const edge = edgeOf(scroller);
  const found: Anchor[] = [];
  const visit = (parent: Element): void => {
    for (const element of parent.children) {
      if (found.length >= MOST_ANCHORS) return;
      const box = element.getBoundingClientRect();
      const position = getComputedStyle(element).position;
      if (position === "fixed" || position === "sticky" || box.height === 0 || box.bottom <= edge) continue;
      visit(element);
      if (box.top < edge + innerHeight) found.push({ element, top: box.top });
    }
  };
  visit(scroller);
  return found;
}

function edgeOf(scroller: Element): number {
  return scroller === document.scrollingElement ? 0 : scroller.getBoundingClientRect().top;
}

function restore(scroller: Scroller): void {
  const anchor = scroller.anchors.find(({ element }) => element.isConnected && element.getClientRects().length);
  if (!anchor) return;
  const moved = anchor.element.getBoundingClientRect().top - anchor.top;
  if (Math.abs(moved) >= 0.5) scroller.element.scrollBy({ top: moved, behavior: "instant" });
}
