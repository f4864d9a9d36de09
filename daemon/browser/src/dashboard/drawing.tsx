// Draws the nodes of the graph where the daemon has placed them, on a canvas. The table says the same to who can't see it.

import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { GraphAnswer, GraphNode } from "./answers";
import { GraphCanvas } from "./canvas";
import { namedBy, type Step, stepOf } from "./graph_steps";

const HINT = "What is needed is on the left of what needs it. A click opens a folder, or a document's surroundings.";

interface DrawingProps {
  answer: GraphAnswer;
  nodes: GraphNode[];
  edges: readonly [number, number, number][];
  center: string;
  step: (taken: Step) => void;
}

export function Drawing({ answer, nodes, edges, center, step }: DrawingProps): VNode {
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<GraphCanvas>(undefined);
  const latest = useRef({ nodes, step });
  latest.current = { nodes, step };
  const [hovered, setHovered] = useState<number>();
  const shown = hovered === undefined ? undefined : nodes[hovered];

  useEffect(() => {
    if (!place.current) return undefined;
    const drawing = new GraphCanvas(place.current, {
      click: (number) => {
        const node = latest.current.nodes[number];
        if (node) latest.current.step(stepOf(node));
      },
      hover: setHovered,
    });
    canvas.current = drawing;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const adapt = (): void => {
      drawing.adapt();
    };
    dark.addEventListener("change", adapt);
    return () => {
      dark.removeEventListener("change", adapt);
      drawing.close();
    };
  }, []);
  useEffect(() => {
    canvas.current?.draw(nodes, edges, center);
  }, [answer.edges, center]); // the same list as long as only counts are new
  useEffect(() => {
    canvas.current?.colour(nodes);
  }, [nodes]);

  return (
    <div class="drawing">
      <div ref={place} class="canvas" role="img" aria-label="A drawing of the graph; the table has the same." />
      <div class="below">
        <p class="hovered" aria-hidden="true">
          {shown ? namedBy(shown) : HINT}
        </p>
      <div class="zoom" role="group" aria-label="Zoom">
        <button type="button" aria-label="Nearer" onClick={() => canvas.current?.zoom(1.5)}>
          +
        </button>
        <button type="button" aria-label="Farther" onClick={() => canvas.current?.zoom(1 / 1.5)}>
          −
        </button>
        <button type="button" onClick={() => canvas.current?.whole()}>
          All
        </button>
      </div>
      </div>
    </div>
  );
}
