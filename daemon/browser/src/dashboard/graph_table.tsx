// The nodes of the graph as a table, for keyboards and screen readers.

import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { GraphNode } from "./answers";
import { counted, number, worst } from "./format";
import { labelOf, type Step, stepOf } from "./graph_steps";
import { Table } from "./parts";

const ROWS = 100;
const NAMED = 5;

interface GraphTableProps {
  nodes: GraphNode[];
  edges: readonly [number, number, number][];
  step: (taken: Step) => void;
}

export function GraphTable({ nodes, edges, step }: GraphTableProps): VNode {
  const [page, setPage] = useState(0);
  const last = Math.max(0, Math.ceil(nodes.length / ROWS) - 1);
  const start = Math.min(page, last) * ROWS;
  const order = nodes.map((_, place) => place).sort((one, other) => compared(nodes, one, other));
  const places = order.slice(start, start + ROWS);
  return (
    <>
      <Table caption="The nodes of the graph" heads={["Name", "Kind", "Documents", "Generation", "Needs", "Needed by"]} unseen>
        {places.map((place) => {
          const node = nodes[place];
          if (!node) return null;
          return (
            <tr key={`${node.kind} ${node.name}`}>
              <th scope="row">
                <button type="button" class="link" onClick={() => { step(stepOf(node)); }}>
                  {node.kind === "more" ? labelOf(node) : node.name || "project"}
                </button>
              </th>
              <td>{node.kind}</td>
              <td>{node.count > 1 ? counted(node.counts) : worst(node.counts)}</td>
              <td class="number">{number(node.generation)}</td>
              <td class="names">{named(nodes, edges.filter(([from]) => from === place).map(([, to]) => to))}</td>
              <td class="names">{named(nodes, edges.filter(([, to]) => to === place).map(([from]) => from))}</td>
            </tr>
          );
        })}
      </Table>
      {last ? (
        <p class="pages">
          <button type="button" aria-disabled={start === 0} onClick={() => { setPage(Math.max(0, Math.min(page, last) - 1)); }}>
            Previous
          </button>{" "}
          {number(start + 1)} to {number(Math.min(start + ROWS, nodes.length))} of {number(nodes.length)}{" "}
          <button type="button" aria-disabled={start + ROWS >= nodes.length} onClick={() => { setPage(Math.min(last, page + 1)); }}>
            Next
          </button>
        </p>
      ) : null}
    </>
  );
}

function compared(nodes: GraphNode[], one: number, other: number): number {
  const [first, second] = [nodes[one], nodes[other]];
  if (!first || !second) return 0;
  return first.generation - second.generation || (first.name < second.name ? -1 : first.name > second.name ? 1 : 0);
}

function named(nodes: GraphNode[], places: number[]): string {
  const names = places.slice(0, NAMED).map((place) => {
    const node = nodes[place];
    return node ? (node.kind === "more" ? labelOf(node) : node.name || "project") : "";
  });
  const left = places.length - names.length;
  return left ? `${names.join(", ")} and ${number(left)} more` : names.join(", ");
}
