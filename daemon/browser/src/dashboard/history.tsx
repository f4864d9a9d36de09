// Past builds and renders.

import type { VNode } from "preact";
import type { Build, Render } from "./answers";
import { number } from "./format";
import { useAnswer } from "./live";
import { DocumentLink, Status, Table, Time, Took, Waiting } from "./parts";
import { hashOf } from "./route";

export function HistoryView(): VNode {
  const builds = useAnswer<{ builds: Build[]; critical_ms: Record<string, number> }>("builds", {});
  const renders = useAnswer<{ history: Render[] }>("history", {});
  if (!builds.data || !renders.data) return <Waiting error={builds.error || renders.error} />;
  const { critical_ms } = builds.data;
  return (
    <>
      <h2>Builds</h2>
      <Table caption="Builds, newest first" heads={["When", "Took", "Critical path", "Cause", "Rendered", "Skipped", "Failed", "Blocked", "Generations"]} unseen>
        {builds.data.builds.map((each) => (
          <tr key={each.id}>
            <th scope="row">
              <a href={hashOf("timeline", each.id)}>
                <Time iso={each.started_at} />
              </a>
            </th>
            <td>
              <Took ms={each.duration_ms} />
            </td>
            <td>{critical_ms[each.id] === undefined ? "" : <Took ms={critical_ms[each.id] ?? 0} />}</td>
            <td>{each.cause}</td>
            {[each.rendered, each.skipped, each.failed, each.blocked, each.generations].map((count, place) => (
              <td key={place} class="number">
                {number(count)}
              </td>
            ))}
          </tr>
        ))}
      </Table>
      <h2>Renders</h2>
      <Table caption="Renders, newest first" heads={["When", "Document", "Status", "Took", "Cause", "Error"]} unseen>
        {renders.data.history.map((each) => (
          <tr key={`${each.started_at} ${each.document} ${each.build}`}>
            <td>
              <Time iso={each.started_at} />
            </td>
            <th scope="row">
              <DocumentLink document={each.document} />
            </th>
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
    </>
  );
}
