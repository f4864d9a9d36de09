// What kahnd adds to a page that it serves.

import { baseOf } from "./page/base";

const script = document.currentScript;
if (script instanceof HTMLScriptElement) {
  document.dispatchEvent(new CustomEvent("kahnd:loaded", { detail: { base: baseOf(script.src) } }));
}
