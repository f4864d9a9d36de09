// Where kahnd's pages stand below a server: taken from the URL of kahnd's own script, so that a base path of a proxy
// needs no option.

const ASSETS = "_kahnd/assets/";

/** The URL below which all output paths stand, with a slash at its end. */
export function baseOf(scriptUrl: string): string {
  const at = scriptUrl.lastIndexOf(`/${ASSETS}`);
  if (at < 0) throw new Error(`not below ${ASSETS}: ${scriptUrl}`);
  return scriptUrl.slice(0, at + 1);
}

/** The output path of a URL below the base, or `undefined` for what is elsewhere or kahnd's own. */
export function outputPath(base: string, url: string): string | undefined {
  const plain = url.replace(/[?#].*$/s, "");
  if (!plain.startsWith(base)) return undefined;
  try {
    const path = decodeURIComponent(plain.slice(base.length));
    if (path.startsWith("_kahnd/")) return undefined;
    return path === "" || path.endsWith("/") ? `${path}index.html` : path;
  } catch {
    return undefined; // bytes that are no UTF-8 name no output
  }
}
