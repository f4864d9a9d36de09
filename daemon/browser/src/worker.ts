// The SharedWorker that holds the one WebSocket of a browser.

import { Connection } from "./live/connection";
import type { FromTab } from "./live/messages";

const connection = new Connection();
const scope = globalThis as unknown as { onconnect: (event: MessageEvent) => void };

scope.onconnect = (event) => {
  const port = event.ports[0];
  if (!port) return;
  port.onmessage = (each: MessageEvent<FromTab>) => {
    connection.take(port, each.data);
  };
  port.addEventListener("close", () => {
    connection.lost(port);
  });
};
