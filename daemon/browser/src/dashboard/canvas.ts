// Draws the graph on a canvas: nodes where the daemon has placed them, edges, and the names for which there is room.
// Knows neither the daemon nor the page around it. The daemon bounds what is drawn, so a frame takes milliseconds.

import { select } from "d3-selection";
import { zoom, zoomIdentity, type ZoomBehavior, type ZoomTransform } from "d3-zoom";
import type { GraphNode } from "./answers";
import { STATUSES, type StatusName, worst } from "./format";
import { labelOf } from "./graph_steps";
import { type Box, Labels, type Point, scaled, shapeOf } from "./graph_places";

const NEAREST = 20;
const FARTHEST = 0.5;
const REACH = 6; // so far beside a node, in pixels, it is still meant
const FONT = 12;
const COLOURS = [...STATUSES, "text", "background", "edge", "accent", "muted"] as const;

export type Edge = readonly [from: number, to: number, count: number];

interface Events {
  click: (node: number) => void;
  hover: (node: number | undefined) => void;
}

export class GraphCanvas {
  readonly #place: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #pen: CanvasRenderingContext2D;
  readonly #events: Events;
  readonly #zoom: ZoomBehavior<HTMLCanvasElement, unknown>;
  readonly #sizes: ResizeObserver;
  #colours: Record<(typeof COLOURS)[number], string>;
  #nodes: readonly GraphNode[] = [];
  #edges: readonly Edge[] = [];
  #center = "";
  #points: Point[] = [];
  #transform: ZoomTransform = zoomIdentity;
  #hovered: number | undefined;
  #frame = 0;

  constructor(place: HTMLElement, events: Events) {
    const canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d");
    if (!pen) throw new Error("there is no canvas to draw on");
    [this.#place, this.#canvas, this.#pen, this.#events] = [place, canvas, pen, events];
    place.append(canvas);
    this.#colours = coloursIn(place);
    this.#zoom = zoom<HTMLCanvasElement, unknown>().scaleExtent([FARTHEST, NEAREST]).on("zoom", ({ transform }: { transform: ZoomTransform }) => {
      this.#transform = transform;
      this.#later();
    });
    select(canvas).call(this.#zoom).on("dblclick.zoom", null);
    canvas.addEventListener("pointermove", (event) => {
      this.#hover(this.#at(event));
    });
    canvas.addEventListener("pointerleave", () => {
      this.#hover(undefined);
    });
    canvas.addEventListener("click", (event) => {
      const node = this.#at(event);
      if (node !== undefined) this.#events.click(node);
    });
    this.#sizes = new ResizeObserver(() => {
      this.#fit();
    });
    this.#sizes.observe(place);
  }

  /** Draws nodes and edges, which are pairs of positions among the nodes. */
  draw(nodes: readonly GraphNode[], edges: readonly Edge[], center: string): void {
    [this.#nodes, this.#edges, this.#center] = [nodes, edges, center];
    this.#hover(undefined);
    this.whole();
    this.#fit();
  }

  /** Takes other counts of the nodes that are drawn. */
  colour(nodes: readonly GraphNode[]): void {
    this.#nodes = nodes;
    this.#later();
  }

  /** Takes the colours of the style sheet anew: light, or dark. */
  adapt(): void {
    this.#colours = coloursIn(this.#place);
    this.#later();
  }

  zoom(by: number): void {
    select(this.#canvas).call(this.#zoom.scaleBy.bind(this.#zoom), by);
  }

  whole(): void {
    select(this.#canvas).call(this.#zoom.transform.bind(this.#zoom), zoomIdentity);
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#sizes.disconnect();
    this.#canvas.remove();
  }

  #fit(): void {
    const { clientWidth, clientHeight } = this.#place;
    this.#canvas.width = clientWidth * devicePixelRatio;
    this.#canvas.height = clientHeight * devicePixelRatio;
    this.#points = scaled(this.#nodes, clientWidth, clientHeight);
    this.#later();
  }

  #later(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      this.#render();
    });
  }

  #hover(node: number | undefined): void {
    if (node === this.#hovered) return;
    this.#hovered = node;
    this.#canvas.style.cursor = node === undefined ? "" : "pointer";
    this.#events.hover(node);
    this.#later();
  }

  /** The node that the mouse is over, or nearly. */
  #at(event: MouseEvent): number | undefined {
    const at: Point = [event.offsetX, event.offsetY];
    let nearest: number | undefined;
    let least = Infinity;
    this.#points.forEach((point, place) => {
      const node = this.#nodes[place];
      const [x, y] = this.#transform.apply(point);
      const distance = Math.hypot(x - at[0], y - at[1]) - (node ? radius(node) : 0);
      if (distance < REACH && distance < least) [nearest, least] = [place, distance];
    });
    return nearest;
  }

  #render(): void {
    const pen = this.#pen;
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, this.#place.clientWidth, this.#place.clientHeight);
    const points = this.#points.map((each) => this.#transform.apply(each));
    this.#renderEdges(points);
    points.forEach((point, place) => {
      this.#renderNode(point, place);
    });
    this.#renderLabels(points);
    this.#place.dataset.nodes = this.#nodes.length.toString();
    this.#place.dataset.edges = this.#edges.length.toString();
  }

  /** Edges of one width are one path; those of the node under the mouse come last, and stand out. */
  #renderEdges(points: Point[]): void {
    const paths = new Map<string, Path2D>();
    for (const [from, to, count] of this.#edges) {
      const [start, end] = [points[to], points[from]];
      if (!start || !end) continue;
      const isNear = from === this.#hovered || to === this.#hovered;
      const key = `${isNear ? "2" : "1"} ${Math.round(1 + Math.log10(count)).toString()}`;
      const path = paths.get(key) ?? new Path2D();
      paths.set(key, path);
      const middle = (start[0] + end[0]) / 2;
      path.moveTo(...start);
      path.bezierCurveTo(middle, start[1], middle, end[1], ...end);
    }
    for (const [key, path] of [...paths].sort()) {
      const [kind, width] = key.split(" ");
      this.#pen.strokeStyle = kind === "2" ? this.#colours.accent : this.#colours.edge;
      this.#pen.lineWidth = Number(width);
      this.#pen.stroke(path);
    }
  }

  #renderNode([x, y]: Point, place: number): void {
    const node = this.#nodes[place];
    if (!node) return;
    const [pen, size] = [this.#pen, radius(node)];
    const status = worst(node.counts);
    pen.fillStyle = this.#colours[node.kind === "more" && status === "done" ? "muted" : status];
    pen.beginPath();
    shapeOf(node.kind, pen, x, y, size);
    pen.fill();
    if (node.name === this.#center || place === this.#hovered) {
      pen.strokeStyle = this.#colours.accent;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, size + 4, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  /** Names are written where they cover no other name; that under the mouse always, and those of broken nodes first. */
  #renderLabels(points: Point[]): void {
    const pen = this.#pen;
    pen.font = `${FONT.toString()}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    const taken = new Labels();
    const order = points.map((_, place) => place).sort((one, other) => this.#rank(one) - this.#rank(other));
    for (const place of order) {
      const [node, point] = [this.#nodes[place], points[place]];
      if (!node || !point) continue;
      const text = labelOf(node);
      const box: Box = { x: point[0] + radius(node) + 4, y: point[1] - FONT / 2 - 1, width: pen.measureText(text).width, height: FONT + 2 };
      if (!taken.take(box)) continue;
      pen.globalAlpha = 0.8;
      pen.fillStyle = this.#colours.background;
      pen.fillRect(box.x - 1, box.y, box.width + 2, box.height);
      pen.globalAlpha = 1;
      pen.fillStyle = this.#colours.text;
      pen.fillText(text, box.x, point[1]);
    }
  }

  #rank(place: number): number {
    const node = this.#nodes[place];
    if (!node || place === this.#hovered || node.name === this.#center) return 0;
    const urgent: Partial<Record<StatusName, number>> = { failed: 1, blocked: 2 };
    return urgent[worst(node.counts)] ?? (node.kind === "document" ? 4 : 3);
  }
}

function radius(node: GraphNode): number {
  return node.kind === "folder" ? 6 + 2 * Math.log10(node.count) : 5;
}

/** What the colours of the style sheet are now. */
function coloursIn(place: HTMLElement): Record<(typeof COLOURS)[number], string> {
  const probe = document.createElement("span");
  place.append(probe);
  const found = COLOURS.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color] as const;
  });
  probe.remove();
  return Object.fromEntries(found) as Record<(typeof COLOURS)[number], string>;
}
