// What kahnd adds to a page that it serves.

import { ShownPage } from "./page/shown_page";

const script = document.currentScript;
if (script instanceof HTMLScriptElement) new ShownPage(script);
