// One build: a lane a worker, arrows for what waited for what, the critical path; and the same as a table.

import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Span, Timeline } from "./answers";
import { duration, number, plural } from "./format";
import { useAnswer, useLive } from "./live";
import { DocumentLink, Table, Time, Took, Waiting } from "./parts";
import { arrows, lanes, ticks } from "./timeline_places";

const LANE = 30;
const AXIS = 24;
const ROWS = 100;
const NEAREST = 64;

export function TimelineView({ build }: { build: string }): VNode {
  const { daemon } = useLive();
  const { data, error, isStale } = useAnswer<Timeline>("timeline", { build: build || "last" });
  if (!data || isStale) return <Waiting error={error} />;
  const shown = data.spans.length;
  return (
    <>
      <h2>{data.cause}</h2>
      <p>
        Build {data.build}, <Time iso={data.started_at} />,{" "}
        {data.running ? "running for" : "took"} {duration(data.duration_ms)}; {plural(shown, "rendering")}, critical path{" "}
        {duration(data.critical_ms)}. <a href={daemon.address("trace", { build: data.build })} download>Download the trace</a>{" "}
        for Perfetto.
      </p>
      {data.left_out ? <p>{plural(data.left_out, "shorter rendering")} {data.left_out === 1 ? "is" : "are"} left out here.</p> : null}
      {data.from_history ? <p>It is an older build: renderings that were cancelled or dropped are not known any more.</p> : null}
      {shown ? (
        <>
          <Lanes timeline={data} />
          <Spans spans={data.spans} />
        </>
      ) : (
        <p>Nothing was rendered.</p>
      )}
    </>
  );
}

function Lanes({ timeline }: { timeline: Timeline }): VNode {
  const [zoom, setZoom] = useState(1);
  const { spans } = timeline;
  const whole = Math.max(timeline.duration_ms, ...spans.map((each) => each.ended_ms), 1);
  const at = (ms: number): string => `${((ms / whole) * 100).toFixed(4)}%`;
  const rows = lanes(spans);
  const middle = (lane: number): number => AXIS + (rows.indexOf(lane) + 0.5) * LANE;
  const height = AXIS + rows.length * LANE;
  const closer = (by: number) => (): void => {
    setZoom((before) => Math.min(NEAREST, Math.max(1, before * by)));
  };
  return (
    <div class="lanes">
      <div role="group" aria-label="Zoom" class="zoom">
        <button type="button" aria-label="Nearer" aria-disabled={zoom >= NEAREST} onClick={closer(2)}>
          +
        </button>
        <button type="button" aria-label="Farther" aria-disabled={zoom <= 1} onClick={closer(0.5)}>
          −
        </button>
      </div>
      <div class="scrolls" tabIndex={0} role="region" aria-label="Workers over time">
        <svg role="img" aria-label="A lane for each worker; the table has the same." width={`${(zoom * 100).toString()}%`} height={height}>
          {ticks(whole, zoom).map((each) => (
            <g key={each}>
              <line class="tick" x1={at(each)} x2={at(each)} y1={AXIS - 6} y2={height} />
              <text x={at(each)} y={12} dx={3}>
                {duration(each)}
              </text>
            </g>
          ))}
          {spans.map((each, place) => (
            <rect
              key={place}
              class={`span ${each.ending} ${each.critical ? "critical" : ""}`}
              x={at(each.started_ms)}
              width={at(Math.max(each.ended_ms - each.started_ms, whole / 2_000 / zoom))}
              y={middle(each.lane) - LANE / 2 + 4}
              height={LANE - 8}
            >
              <title>{`${each.document}: ${duration(each.ended_ms - each.started_ms)}, ${each.ending}${each.critical ? ", on the critical path" : ""}`}</title>
            </rect>
          ))}
          {arrows(spans).map(([from, to]) => (
            <line
              key={`${from.document} ${to.document} ${to.started_ms.toString()}`}
              class={`arrow ${from.critical && to.critical ? "critical" : ""}`}
              x1={at(from.ended_ms)}
              x2={at(to.started_ms)}
              y1={middle(from.lane)}
              y2={middle(to.lane)}
            />
          ))}
        </svg>
      </div>
      <ul class="legend" aria-label="Colours">
        {["rendered", "failed", "stopped", "dropped", "critical"].map((each) => (
          <li key={each} class={each}>
            {each === "critical" ? "on the critical path" : each}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Spans({ spans }: { spans: Span[] }): VNode {
  const [count, setCount] = useState(ROWS);
  return (
    <>
      <h3>Renderings</h3>
      <Table caption="Renderings of the build, in the order in which they ended" heads={["Document", "Worker", "Began", "Took", "Ending", "Waited for", "Critical path"]} unseen>
        {spans.slice(0, count).map((each, place) => (
          <tr key={place}>
            <th scope="row">
              <DocumentLink document={each.document} />
            </th>
            <td class="number">{number(each.lane + 1)}</td>
            <td>
              <Took ms={each.started_ms} />
            </td>
            <td>
              <Took ms={each.ended_ms - each.started_ms} />
            </td>
            <td>{each.ending}</td>
            <td>{each.after === null ? "" : <DocumentLink document={each.after} />}</td>
            <td>{each.critical ? "yes" : ""}</td>
          </tr>
        ))}
      </Table>
      {spans.length > count ? (
        <button type="button" onClick={() => { setCount(count + ROWS); }}>
          Show more of {number(spans.length)}
        </button>
      ) : null}
    </>
  );
}
