// The dependency graph by levels of detail: folders, opened ones, a document's neighbourhood; drawn, and as a table.

import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { GraphAnswer, GraphNode } from "./answers";
import { Search } from "./documents";
import { number, plural } from "./format";
import { Drawing } from "./drawing";
import { GraphTable } from "./graph_table";
import { merged, nextLimit, type Step } from "./graph_steps";
import { useAnswer } from "./live";
import { DocumentLink, Waiting } from "./parts";
import { hashOf } from "./route";

const LEVELS = ["0", "1", "2", "3", "4", "5"];

export function GraphView({ query }: { query: URLSearchParams }): VNode {
  const opened = query.getAll("open");
  const document = query.get("document") ?? "";
  const [up, down] = [query.get("up") ?? "2", query.get("down") ?? "2"];
  const limit = query.get("limit") ?? (document ? "24" : "100");
  const content = query.get("content") ?? "";
  const asTable = query.get("table") === "1";
  const asked = document ? { document, up, down, limit, content } : { open: opened, limit, content };
  const answer = useAnswer<GraphAnswer>("graph", asked, { query: ({ shape }) => ({ shape }), merge: merged });
  const { data, error, isStale } = answer;

  const go = (changes: Record<string, string | string[]>): void => {
    const now = { open: opened, document, up: query.get("up") ?? "", down: query.get("down") ?? "", limit: query.get("limit") ?? "", content, table: asTable ? "1" : "" };
    location.hash = hashOf("graph", "", { ...now, ...changes });
  };
  const step = (taken: Step): void => {
    if (taken.kind === "open") go({ open: [...new Set([...opened, taken.folder])], document: "", limit: "" });
    else if (taken.kind === "near" && taken.document === document) location.hash = hashOf("documents", document);
    else if (taken.kind === "near") go({ document: taken.document, limit: "" });
    else go({ limit: nextLimit(Number(limit)), ...(taken.folder === undefined ? {} : { open: [...new Set([...opened, taken.folder])] }) });
  };

  return (
    <>
      <Search
        start=""
        onChoose={(each) => {
          step({ kind: "near", document: each });
        }}
      />
      <Where opened={opened} document={document} go={go} />
      <div class="controls">
        {document ? (
          <>
            <Levels name="Levels that need it" value={up} choose={(value) => { go({ up: value }); }} />
            <Levels name="Levels that it needs" value={down} choose={(value) => { go({ down: value }); }} />
          </>
        ) : null}
        <label class="check">
          <input
            type="checkbox"
            checked={content === "1"}
            onChange={(event) => {
              go({ content: event.currentTarget.checked ? "1" : "" });
            }}
          />
          Also links and lists of pages, which ask for no order
        </label>
        <div role="group" aria-label="Show as" class="switch">
          <button type="button" aria-pressed={!asTable} onClick={() => { go({ table: "" }); }}>
            Drawing
          </button>
          <button type="button" aria-pressed={asTable} onClick={() => { go({ table: "1" }); }}>
            Table
          </button>
        </div>
      </div>
      {data?.nodes && !data.unknown ? (
        <Shown answer={data} nodes={data.nodes} isStale={isStale} asTable={asTable} center={document} step={step} />
      ) : (
        <Waiting error={error}>{data?.unknown ? `There is no document ${document}.` : undefined}</Waiting>
      )}
    </>
  );
}

interface ShownProps {
  answer: GraphAnswer;
  nodes: GraphNode[];
  isStale: boolean;
  asTable: boolean;
  center: string;
  step: (taken: Step) => void;
}

function Shown({ answer, nodes, isStale, asTable, center, step }: ShownProps): VNode {
  const edges = answer.edges ?? [];
  const summary =
    `${plural(answer.documents, "document")} in the project; ${plural(nodes.length, "node")} and ${plural(edges.length, "edge")} are shown` +
    (answer.left_out ? `, the ${number(answer.left_out)} thinnest edges are not` : "");
  return (
    <>
      <p class="told" role="status">
        {isStale ? "Asking the daemon…" : `${summary}.`}
      </p>
      {asTable ? (
        <GraphTable nodes={nodes} edges={edges} step={step} />
      ) : (
        <Drawing answer={answer} nodes={nodes} edges={edges} center={center} step={step} />
      )}
    </>
  );
}

interface WhereProps {
  opened: string[];
  document: string;
  go: (changes: Record<string, string | string[]>) => void;
}

/** What is open, with the way back. */
function Where({ opened, document, go }: WhereProps): VNode | null {
  const first = useRef<HTMLButtonElement>(null);
  const before = useRef(document);
  useEffect(() => {
    if (document && document !== before.current) first.current?.focus();
    before.current = document;
  }, [document]);
  if (!document && !opened.length) return null;
  return (
    <div class="where">
      {document ? (
        <p>
          Around <DocumentLink document={document} />{" "}
          <button type="button" ref={first} onClick={() => { go({ document: "", limit: "" }); }}>
            All folders
          </button>
        </p>
      ) : (
        <ul aria-label="Opened folders">
          {opened.map((each) => (
            <li key={each}>
              {each || "project"}{" "}
              <button type="button" onClick={() => { go({ open: opened.filter((one) => one !== each) }); }}>
                Close<span class="unseen"> {each}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Levels({ name, value, choose }: { name: string; value: string; choose: (value: string) => void }): VNode {
  return (
    <label>
      {name}
      <select value={value} onChange={(event) => { choose(event.currentTarget.value); }}>
        {LEVELS.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </label>
  );
}
