// Any document: why it was rendered, or would be, as a chain; its past renders; where it is.

import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { DocumentDetail, Found, Reason } from "./answers";
import { duration, number } from "./format";
import { useAnswer } from "./live";
import { DocumentLink, Places, Status, Table, Time, Took, Waiting } from "./parts";
import { hashOf } from "./route";

export function DocumentsView({ document, query }: { document: string; query: URLSearchParams }): VNode {
  return (
    <>
      <Search start={query.get("q") ?? ""} />
      {document ? <Detail document={document} /> : null}
    </>
  );
}

/** Finds documents by a part of their path. */
export function Search({ start, onChoose }: { start: string; onChoose?: (document: string) => void }): VNode {
  const [text, setText] = useState(start);
  const wanted = text.trim();
  const { data, error, isStale } = useAnswer<Found>("search", wanted ? { q: wanted } : undefined);
  const found = wanted && data ? data : undefined;
  return (
    <search class="search">
      <label>
        Find a document
        <input
          type="search"
          value={text}
          placeholder="a part of its path"
          onInput={(event) => {
            setText(event.currentTarget.value);
          }}
        />
      </label>
      <p role="status" class="told">
        {error || (found && !isStale ? told(found) : "")}
      </p>
      {found ? (
        <ul class="found">
          {found.documents.map((each) => (
            <li key={each}>
              {onChoose ? (
                <button
                  type="button"
                  class="link"
                  onClick={() => {
                    setText("");
                    onChoose(each);
                  }}
                >
                  {each}
                </button>
              ) : (
                <DocumentLink document={each} />
              )}
            </li>
          ))}
        </ul>
      ) : null}
    </search>
  );
}

function told(found: Found): string {
  if (!found.count) return "Nothing found.";
  const left = found.count - found.documents.length;
  return left ? `The first ${number(found.documents.length)} of ${number(found.count)}.` : `${number(found.count)} found.`;
}

function Detail({ document }: { document: string }): VNode {
  const { data, error, isStale } = useAnswer<DocumentDetail>("document", { document });
  if (!data || isStale) return <Waiting error={error} />;
  const { why, history, pages, editor } = data;
  const name = why.document;
  return (
    <article aria-labelledby="document">
      <h2 id="document">{name}</h2>
      <p class="head">
        <Status status={why.status} /> <Places document={name} editor={editor} page={pages[0]} />{" "}
        <a href={hashOf("graph", "", { document: name })}>In the graph</a>{" "}
        <a href={hashOf("log", "", { document: name })}>In the log</a>
      </p>
      {error ? <Waiting error={error} /> : null}
      <h3>{why.rendered && why.status !== "DIRTY" ? "Why it was rendered last" : "Why it would be rendered"}</h3>
      {why.chain.length > 1 ? (
        <ol class="chain" aria-label="From the edited document to this one">
          {why.chain.map((each) => (
            <li key={each}>{each === name ? <strong>{each}</strong> : <DocumentLink document={each} />}</li>
          ))}
        </ol>
      ) : null}
      {why.reasons.length ? (
        <ul class="reasons">
          {why.reasons.map((each) => (
            <li key={`${each.kind} ${each.document} ${each.output ?? ""}`}>
              <ReasonText reason={each} />
            </li>
          ))}
        </ul>
      ) : (
        <p>Nothing has changed that would ask for it.</p>
      )}
      {why.rendered ? (
        <p>
          Rendered <Time iso={why.rendered.started_at} /> in{" "}
          <a href={hashOf("timeline", why.rendered.build)}>{duration(why.rendered.duration_ms)}</a>, {why.rendered.cause}.
        </p>
      ) : null}
      {pages.length > 1 ? <Pages pages={pages} document={name} /> : null}
      <h3>Past renders</h3>
      {history.length ? (
        <Table caption={`Past renders of ${name}`} heads={["When", "Status", "Took", "Cause", "Error"]} unseen>
          {history.map((each) => (
            <tr key={each.started_at + each.build}>
              <td>
                <a href={hashOf("timeline", each.build)}>
                  <Time iso={each.started_at} />
                </a>
              </td>
              <td>
                <Status status={each.status} />
              </td>
              <td>
                <Took ms={each.duration_ms} />
              </td>
              <td>{each.cause}</td>
              <td class="reason">{each.error ?? ""}</td>
            </tr>
          ))}
        </Table>
      ) : (
        <p>It was never rendered.</p>
      )}
    </article>
  );
}

const WORDS: Record<string, string> = {
  content: "its own text changed",
  dependency: "what it uses changed",
  recipe: "how it is rendered changed",
  output: "its output was gone or altered",
  new: "it was new",
  failed: "it had failed before",
};

function ReasonText({ reason }: { reason: Reason }): VNode {
  const { kind, document, before, after, facets, output } = reason;
  return (
    <>
      {WORDS[kind] ?? kind}
      {kind === "dependency" ? (
        <>
          : <DocumentLink document={document} />
          {facets.length ? ` (${facets.join(", ").replaceAll("_", " ")})` : ""}
        </>
      ) : null}
      {output ? ` (for ${output})` : ""}
      {before ?? after ? (
        <span class="hashes">
          {" "}
          <code>{before?.slice(0, 12) ?? "nothing"}</code> → <code>{after?.slice(0, 12) ?? "nothing"}</code>
        </span>
      ) : null}
    </>
  );
}

function Pages({ pages, document }: { pages: string[]; document: string }): VNode {
  return (
    <>
      <h3>Outputs</h3>
      <ul class="plain">
        {pages.map((each) => (
          <li key={each}>
            {each} <Places document={document} page={each} />
          </li>
        ))}
      </ul>
    </>
  );
}
