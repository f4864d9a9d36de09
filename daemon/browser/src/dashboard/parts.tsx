// What several views show.

import type { ComponentChildren, VNode } from "preact";
import { duration, moment, split } from "./format";
import { useLive } from "./live";
import { hashOf } from "./route";

/** A document's name, which leads to all about it. */
export function DocumentLink({ document }: { document: string }): VNode {
  const [folder, name] = split(document);
  return (
    <a class="document" href={hashOf("documents", document)}>
      <span class="folder">{folder}</span>
      {name}
    </a>
  );
}

export function Status({ status }: { status: string }): VNode {
  const name = status.toLowerCase();
  return <span class={`status ${name}`}>{name}</span>;
}

/** Links to where a problem is: in an editor, and to the page as it was last. */
export function Places({ document, editor, page }: { document: string; editor?: string | undefined; page?: string | undefined }): VNode {
  const { daemon } = useLive();
  return (
    <span class="places">
      {editor ? (
        <a href={editor}>
          Edit<span class="unseen"> {document}</span>
        </a>
      ) : null}
      {page === undefined ? null : (
        <a href={daemon.page(page)} target="_blank" rel="noreferrer">
          Page<span class="unseen"> of {document}, in another tab</span>
        </a>
      )}
    </span>
  );
}

export function Time({ iso }: { iso: string }): VNode {
  return (
    <time dateTime={iso} title={iso}>
      {moment(iso)}
    </time>
  );
}

export function Took({ ms }: { ms: number }): VNode {
  return <span class="number">{duration(ms)}</span>;
}

/** A place for what is still asked for, or can't be told. */
export function Waiting({ error, children }: { error: string; children?: ComponentChildren }): VNode {
  return error ? (
    <p class="message error" role="alert">
      {error}
    </p>
  ) : (
    <p class="message">{children ?? "Asking the daemon…"}</p>
  );
}

/** A table with a caption, which scrolls sideways within itself. */
export function Table({ caption, heads, children, unseen = false }: { caption: string; heads: string[]; children: ComponentChildren; unseen?: boolean }): VNode {
  return (
    <div class="scrolls" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class={unseen ? "unseen" : ""}>{caption}</caption>
        <thead>
          <tr>
            {heads.map((each) => (
              <th scope="col" key={each}>
                {each}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
