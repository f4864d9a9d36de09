// The dashboard: one page, whose views the address after `#` tells apart.

import "./dashboard/dashboard.css";
import { show } from "./dashboard/app";
import { Daemon } from "./dashboard/daemon";

const script = document.currentScript;
if (script instanceof HTMLScriptElement) show(document.body, Daemon.of(script));
