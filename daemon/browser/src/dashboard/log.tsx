// The log: the newest events that the daemon keeps, filtered; only the lines in view are in the page.

import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { LogEntry, LogLines } from "./answers";
import { moment, number, plural } from "./format";
import { useAnswer } from "./live";
import { DocumentLink, Waiting } from "./parts";
import { hashOf } from "./route";
import { joined, windowOf } from "./log_lines";

const HEIGHT = 28;
const LEVELS = ["debug", "info", "warning", "error"];
const COLUMNS = new Set(["timestamp", "level", "event", "document"]);

export function LogView({ query }: { query: URLSearchParams }): VNode {
  const given = (name: string): string => query.get(name) ?? "";
  const asked = { level: given("level"), document: given("document"), build: given("build"), text: given("text") };
  const { data, error, isStale } = useAnswer<LogLines>("log", asked, { query: ({ last }) => ({ after: last }), merge: joined });
  const go = (name: string, value: string): void => {
    location.replace(hashOf("log", "", { ...asked, [name]: value.trim() }));
  };
  return (
    <>
      <div class="controls">
        <label>
          Level
          <select value={query.get("level") ?? "debug"} onChange={(event) => { go("level", event.currentTarget.value); }}>
            {LEVELS.map((each) => (
              <option key={each} value={each}>
                {each === "debug" ? "all" : `${each} and above`}
              </option>
            ))}
          </select>
        </label>
        {(["document", "build", "text"] as const).map((each) => (
          <label key={each}>
            {each === "text" ? "Text" : each === "build" ? "Build" : "Document"}
            <input type="search" value={asked[each]} onChange={(event) => { go(each, event.currentTarget.value); }} />
          </label>
        ))}
      </div>
      {data ? <Lines found={data} isStale={isStale} /> : <Waiting error={error} />}
      {data && error ? <Waiting error={error} /> : null}
    </>
  );
}

function Lines({ found, isStale }: { found: LogLines; isStale: boolean }): VNode {
  const { lines } = found;
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  const [chosen, setChosen] = useState<number>();
  const place = lines.findIndex((each) => each.number === chosen);

  useLayoutEffect(() => {
    const element = box.current;
    if (element && isAtEnd.current) element.scrollTop = element.scrollHeight;
  }, [lines]);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const look = (): void => {
      isAtEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - HEIGHT;
      setSeen({ top: element.scrollTop, height: element.clientHeight });
    };
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);

  const choose = (to: number): void => {
    const at = Math.min(lines.length - 1, Math.max(0, to));
    setChosen(lines[at]?.number);
    const element = box.current;
    if (!element) return;
    if (at * HEIGHT < element.scrollTop) element.scrollTop = at * HEIGHT;
    else if ((at + 1) * HEIGHT > element.scrollTop + element.clientHeight) element.scrollTop = (at + 1) * HEIGHT - element.clientHeight;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(seen.height / HEIGHT) - 1);
    const from = place < 0 ? lines.length : place;
    const moves: Record<string, number> = { ArrowUp: from - 1, ArrowDown: from + 1, PageUp: from - page, PageDown: from + page, Home: 0, End: lines.length - 1 };
    const to = moves[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to);
  };
  const { start, end } = windowOf(lines.length, seen.top, seen.height, HEIGHT);
  const shown = lines.slice(start, end).map((each, offset) => ({ ...each, at: start + offset }));
  const isShown = place >= start && place < end;
  return (
    <>
      <p class="told" role="status">
        {isStale ? "Asking the daemon…" : plural(lines.length, "line")}
      </p>
      <div
        class="lines"
        ref={box}
        role="listbox"
        tabIndex={0}
        aria-label="Lines of the log; arrow keys choose one"
        aria-activedescendant={isShown ? `line-${(chosen ?? 0).toString()}` : undefined}
        onKeyDown={onKeyDown}
      >
        <div role="presentation" style={{ height: `${(lines.length * HEIGHT).toString()}px` }}>
          {shown.map(({ number: key, line, at }) => (
            <div
              key={key}
              id={`line-${key.toString()}`}
              role="option"
              class={`line ${line.level}`}
              aria-selected={key === chosen}
              aria-setsize={lines.length}
              aria-posinset={at + 1}
              style={{ top: `${(at * HEIGHT).toString()}px` }}
              onClick={() => { choose(at); }}
            >
              <span class="time">{moment(line.timestamp)}</span>
              <span class="level">{line.level}</span>
              <span class="event">{line.event}</span>
              <span class="rest">{summary(line)}</span>
            </div>
          ))}
        </div>
      </div>
      {place >= 0 && lines[place] ? <Entry entry={lines[place].line} /> : <p>{lines.length ? "Choose a line to see all of it." : "No line matches."}</p>}
      {found.first > 1 ? <p>Older lines are in the log file: `kahnd logs` shows them. {number(found.first - 1)} are not kept here.</p> : null}
    </>
  );
}

function summary(line: LogEntry): string {
  const rest = Object.entries(line).filter(([key, value]) => !COLUMNS.has(key) && (typeof value === "string" || typeof value === "number"));
  return [line.document ?? "", ...rest.map(([key, value]) => `${key}=${String(value)}`)].join(" ").trim();
}

function Entry({ entry }: { entry: LogEntry }): VNode {
  return (
    <dl class="entry" aria-label="The chosen line">
      {Object.entries(entry).map(([key, value]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>
            {key === "document" && typeof value === "string" ? <DocumentLink document={value} /> : <pre class="text">{typeof value === "string" ? value : JSON.stringify(value)}</pre>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
