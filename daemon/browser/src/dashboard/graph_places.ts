// Where the parts of a drawing stand on the screen.

import type { GraphNode } from "./answers";

export type Point = [x: number, y: number];

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

const PADDING = 28;
const NAME = 130; // what is left for the names at the right
const WIDEST = 60; // pixels a unit: a few nodes do not fly apart
const HIGHEST = 44;
const CELL = 64;

/** The places of nodes within a screen: as the daemon has placed them, each direction stretched by itself. */
export function scaled(nodes: readonly { x: number; y: number }[], width: number, height: number): Point[] {
  const [left, right] = extent(nodes.map((each) => each.x));
  const [low, high] = extent(nodes.map((each) => each.y));
  const across = Math.min(WIDEST, (width - 2 * PADDING - NAME) / (right - left || 1));
  const along = Math.min(HIGHEST, (height - 2 * PADDING) / (high - low || 1));
  const [centerX, centerY] = [(width - (nodes.length > 1 ? NAME : 0)) / 2, height / 2];
  return nodes.map(({ x, y }) => [centerX + (x - (left + right) / 2) * across, centerY - (y - (low + high) / 2) * along]);
}

function extent(values: number[]): [least: number, most: number] {
  return values.reduce(([least, most], each) => [Math.min(least, each), Math.max(most, each)], [values[0] ?? 0, values[0] ?? 0]);
}

/** Which places names have taken. */
export class Labels {
  readonly #taken = new Map<string, Box[]>();

  /** Takes a place, if no other name is there. */
  take(box: Box): boolean {
    const cells = cellsOf(box);
    if (cells.some((cell) => this.#taken.get(cell)?.some((other) => overlap(box, other)))) return false;
    for (const cell of cells) {
      const there = this.#taken.get(cell);
      if (there) there.push(box);
      else this.#taken.set(cell, [box]);
    }
    return true;
  }
}

function cellsOf({ x, y, width, height }: Box): string[] {
  const cells: string[] = [];
  for (let column = Math.floor(x / CELL); column <= (x + width) / CELL; column += 1) {
    for (let row = Math.floor(y / CELL); row <= (y + height) / CELL; row += 1) cells.push(`${column.toString()} ${row.toString()}`);
  }
  return cells;
}

function overlap(one: Box, other: Box): boolean {
  return one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;
}

/** Adds a node's shape to the path of a pen: a square for a folder, a diamond for a pattern, else a circle. */
export function shapeOf(kind: GraphNode["kind"], pen: Pick<Path2D, "arc" | "moveTo" | "lineTo" | "closePath" | "rect">, x: number, y: number, size: number): void {
  if (kind === "folder") {
    pen.rect(x - size, y - size, 2 * size, 2 * size);
  } else if (kind === "collection") {
    pen.moveTo(x, y - size);
    pen.lineTo(x + size, y);
    pen.lineTo(x, y + size);
    pen.lineTo(x - size, y);
    pen.closePath();
  } else {
    pen.arc(x, y, size, 0, 2 * Math.PI);
  }
}
