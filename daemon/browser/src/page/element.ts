// Makes elements: their content is text, never HTML.

type Content = Node | string | undefined;

/** An element with attributes and content; what is `undefined` is left out. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Record<string, string | undefined>,
  ...content: Content[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value);
  made.append(...content.filter((each) => each !== undefined));
  return made;
}
