// The frame of the dashboard: where to go, the state of the daemon, and the view that the address names.

import { render, type VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Daemon } from "./daemon";
import { DocumentsView } from "./documents";
import { number, plural } from "./format";
import { GraphView } from "./graph";
import { HistoryView } from "./history";
import { type Live, LiveContext, useStatus } from "./live";
import { LogView } from "./log";
import { Overview } from "./overview";
import { hashOf, type Route, routeOf, type View, VIEWS } from "./route";
import { TimelineView } from "./timeline";

const TITLES: Record<View, string> = {
  overview: "Overview",
  documents: "Documents",
  graph: "Graph",
  timeline: "Timeline",
  history: "History",
  log: "Log",
};

/** Shows the dashboard in a page. */
export function show(place: HTMLElement, daemon: Daemon): void {
  render(<App daemon={daemon} />, place);
}

function App({ daemon }: { daemon: Daemon }): VNode {
  const live = useStatus(daemon);
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const title = route.argument || TITLES[route.view];
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${title} · ${daemon.project} · kahnd`;
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [title, daemon]);
  return (
    <LiveContext.Provider value={live}>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault(); // the address is the view's
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <header>
        <p class="project">
          <a href={daemon.page("")}>{daemon.project}</a>
        </p>
        <nav aria-label="Views">
          <ul>
            {VIEWS.map((each) => (
              <li key={each}>
                <a href={hashOf(each)} aria-current={each === route.view ? "page" : undefined}>
                  {TITLES[each]}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <State live={live} />
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        <h1>{TITLES[route.view]}</h1>
        <ViewOf route={route} />
      </main>
    </LiveContext.Provider>
  );
}

function ViewOf({ route }: { route: Route }): VNode {
  switch (route.view) {
    case "overview":
      return <Overview />;
    case "documents":
      return <DocumentsView document={route.argument} query={route.query} />;
    case "graph":
      return <GraphView query={route.query} />;
    case "timeline":
      return <TimelineView build={route.argument} />;
    case "history":
      return <HistoryView />;
    case "log":
      return <LogView query={route.query} />;
  }
}

/** The daemon's state in a few words. It is told to those who can't see it when a build has ended, and not before. */
function State({ live }: { live: Live }): VNode {
  const { status, error } = live;
  const build = status?.build;
  const now = error ? "no answer" : (status?.status.state ?? "asking");
  const detail = build ? ` ${number(build.done)} of ${number(build.total)}` : "";
  return (
    <p class={`state ${error ? "error" : now}`}>
      <span class="dot" aria-hidden="true" />
      {now}
      {detail}
      <span class="unseen" role="status">
        {error || (status && !build ? told(status.status.documents) : "")}
      </span>
    </p>
  );
}

function told(documents: { failed: number; blocked: number; total: number }): string {
  const broken = documents.failed + documents.blocked;
  return broken ? `${plural(broken, "document")} failed or blocked` : `all ${plural(documents.total, "document")} are good`;
}

function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const follow = (): void => {
      setRoute(routeOf(location.hash));
    };
    window.addEventListener("hashchange", follow);
    return () => {
      window.removeEventListener("hashchange", follow);
    };
  }, []);
  return route;
}
