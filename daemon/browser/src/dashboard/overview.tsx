// How the project stands: counts, the running build by waves, what is broken, and the buttons that build and retry.

import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Blocked, Documents, Failure, Outcome, RunningBuild, Status, Warned } from "./answers";
import { duration, number, plural } from "./format";
import { useLive } from "./live";
import { DocumentLink, Places, Time, Took, Waiting } from "./parts";
import { hashOf } from "./route";

const SHOWN = 100;

export function Overview(): VNode {
  const { status, error } = useLive();
  if (!status) return <Waiting error={error} />;
  const now = status.status;
  return (
    <>
      {error ? <Waiting error={error} /> : null}
      {status.trouble ? <p class="message error">{status.trouble}</p> : null}
      {now.config_error ? (
        <section aria-labelledby="config">
          <h2 id="config">kahnd.toml can't be used</h2>
          <pre class="text">{now.config_error}</pre>
          <p>The last good configuration stays in force.</p>
        </section>
      ) : null}
      <Counts documents={now.documents} />
      <Actions failed={now.documents.failed} />
      {status.build ? <Running build={status.build} /> : <Last status={status} />}
      <Problems status={status} />
    </>
  );
}

function Counts({ documents }: { documents: Documents }): VNode {
  const names = ["total", "done", "dirty", "failed", "blocked", "missing"] as const;
  return (
    <dl class="counts" aria-label="Documents by status">
      {names.map((each) => (
        <div key={each} class={`count ${each} ${documents[each] ? "some" : "none"}`}>
          <dt>{each === "total" ? "documents" : each}</dt>
          <dd>{number(documents[each])}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Builds and retries. What is under way is seen above and below; here it is told how it ended. */
function Actions({ failed }: { failed: number }): VNode {
  const { daemon } = useLive();
  const [isAsking, setAsking] = useState("");
  const [told, setTold] = useState("");
  const act = async (name: "build" | "retry"): Promise<void> => {
    if (isAsking) return;
    setAsking(name);
    setTold(name === "build" ? "Building…" : "Retrying…");
    try {
      setTold(ending(await daemon.act<Outcome>(name, {})));
    } catch (error) {
      setTold(error instanceof Error ? error.message : String(error));
    }
    setAsking("");
  };
  return (
    <div class="actions">
      <button type="button" aria-disabled={isAsking !== ""} onClick={() => void act("build")}>
        Build
      </button>
      <button type="button" aria-disabled={isAsking !== "" || !failed} onClick={() => void (failed ? act("retry") : undefined)}>
        Retry what failed
      </button>
      <span role="status" class="told">
        {told}
      </span>
    </div>
  );
}

function ending(outcome: Outcome): string {
  const { rendered, skipped, failed, blocked, removed } = outcome;
  const parts = Object.entries({ rendered, skipped, failed, blocked, removed }).filter(([, count]) => count > 0);
  const what = parts.map(([name, count]) => `${number(count)} ${name}`).join(", ") || "everything was up to date";
  return `Done in ${duration(outcome.duration_ms)}: ${what}.`;
}

function Running({ build }: { build: RunningBuild }): VNode {
  return (
    <section aria-labelledby="running">
      <h2 id="running">Building: {build.cause}</h2>
      <p>
        {number(build.done)} of {plural(build.total, "document")}
      </p>
      <ol class="waves">
        {build.waves.map((wave) => {
          const name = wave.first === wave.last ? `Generation ${wave.first}` : `Generations ${wave.first} to ${wave.last}`;
          return (
            <li key={wave.first}>
              <label>
                <span>{name}</span>
                <progress max={wave.total} value={wave.done} />
              </label>
              <span class="number">
                {number(wave.done)} of {number(wave.total)}
              </span>
            </li>
          );
        })}
      </ol>
      {build.rendering.length ? (
        <ul class="plain" aria-label="Being rendered">
          {build.rendering.map((each) => (
            <li key={each.document}>
              <DocumentLink document={each.document} /> <Took ms={each.seconds * 1_000} />
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function Last({ status }: { status: Status }): VNode | null {
  const build = status.status.last_build;
  if (!build) return null;
  return (
    <section aria-labelledby="last">
      <h2 id="last">Last build</h2>
      <p>
        {build.cause}, <Time iso={build.started_at} />: {number(build.rendered)} rendered, {number(build.skipped)} skipped,{" "}
        {number(build.failed)} failed in <a href={hashOf("timeline", build.id)}>{duration(build.duration_ms)}</a>
      </p>
    </section>
  );
}

function Problems({ status }: { status: Status }): VNode {
  const { failures, blocked, warnings, documents } = status.status;
  if (!failures.length && !blocked.length && !warnings.length) return <p class="good">Nothing is broken.</p>;
  return (
    <>
      <ProblemList title="Failed" count={documents.failed} found={failures} status={status} />
      <ProblemList title="Blocked" count={documents.blocked} found={blocked} status={status} />
      <ProblemList title="Warnings" count={warnings.length} found={warnings} status={status} />
    </>
  );
}

interface ProblemListProps {
  title: string;
  count: number;
  found: (Failure | Blocked | Warned)[];
  status: Status;
}

function ProblemList({ title, count, found, status }: ProblemListProps): VNode | null {
  if (!found.length) return null;
  const id = `problems-${title.toLowerCase()}`;
  return (
    <section aria-labelledby={id} class={`problems ${title.toLowerCase()}`}>
      <h2 id={id}>
        {title} <span class="number">({number(count)})</span>
      </h2>
      <ul>
        {found.slice(0, SHOWN).map((each, place) => (
          <li key={`${each.document} ${place.toString()}`}>
            <p class="head">
              <DocumentLink document={each.document} />
              <Places document={each.document} editor={status.editors[each.document]} page={status.pages[each.document]} />
            </p>
            <p class="reason">{"warning" in each ? each.warning : each.error}</p>
            {"because" in each && each.because !== each.document ? (
              <p>
                because of <DocumentLink document={each.because} />
              </p>
            ) : null}
            {"output" in each && each.output ? <pre class="text">{each.output}</pre> : null}
          </li>
        ))}
      </ul>
      {count > Math.min(SHOWN, found.length) ? <p>And {number(count - Math.min(SHOWN, found.length))} more.</p> : null}
    </section>
  );
}
