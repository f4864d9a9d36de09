// The SharedWorker that holds the one WebSocket of a browser.

import { baseOf } from "./page/base";

export const base = baseOf(location.href);
