// Which child of the new page is which of the old one. Pure.
//
// Equal subtrees are found first, wherever they are; what is left between them is paired by how much it has in common.
// So an insertion shifts nothing: each node keeps what the reader did to it.

/** What is compared: `id` is equal for equal subtrees and only for them; nodes of other `key`s are never paired. */
export interface Comparable {
  readonly id: number;
  readonly key: string;
  /** Nodes of one key that carry a name of their own (an HTML id) are paired by it alone. */
  readonly name: string;
  /** The words in it, to tell how much two nodes have in common. */
  words(): ReadonlySet<string>;
}

const MOST_COMPARED = 2_500; // pairs in a gap whose words are compared: 50 nodes by 50
const UNMATCHED = -1;

/** For each new child the index of the old one that it is, or -1. */
export function align(old: readonly Comparable[], fresh: readonly Comparable[]): number[] {
  const matched = new Array<number>(fresh.length).fill(UNMATCHED);
  const taken = new Set<number>();
  const pair = (from: number, to: number): void => {
    matched[to] = from;
    taken.add(from);
  };

  let head = 0;
  while (head < old.length && head < fresh.length && old[head]?.id === fresh[head]?.id) pair(head, head++);
  let oldEnd = old.length;
  let freshEnd = fresh.length;
  while (oldEnd > head && freshEnd > head && old[oldEnd - 1]?.id === fresh[freshEnd - 1]?.id) pair(--oldEnd, --freshEnd);

  pairEqual(old, fresh, matched, taken, pair);
  pairNamed(old, fresh, matched, taken, pair);
  for (const gap of gaps(matched, old.length)) pairAlike(old, fresh, gap, taken, pair);
  return matched;
}

type Pair = (from: number, to: number) => void;

/** Pairs equal subtrees in order of appearance; those that were moved too. */
function pairEqual(
  old: readonly Comparable[],
  fresh: readonly Comparable[],
  matched: readonly number[],
  taken: ReadonlySet<number>,
  pair: Pair,
): void {
  const places = new Map<number, number[]>();
  old.forEach((each, index) => {
    if (taken.has(index)) return;
    const known = places.get(each.id);
    if (known) known.push(index);
    else places.set(each.id, [index]);
  });
  fresh.forEach((each, index) => {
    const from = matched[index] === UNMATCHED && each.words().size ? places.get(each.id)?.shift() : undefined;
    if (from !== undefined) pair(from, index);
  });
}

/** Pairs nodes of one key and name, wherever they are. */
function pairNamed(
  old: readonly Comparable[],
  fresh: readonly Comparable[],
  matched: readonly number[],
  taken: ReadonlySet<number>,
  pair: Pair,
): void {
  const full = (each: Comparable): string => `${each.key} ${each.name}`;
  const places = new Map<string, number>();
  old.forEach((each, index) => {
    if (each.name && !taken.has(index)) places.set(full(each), index);
  });
  fresh.forEach((each, index) => {
    const from = each.name && matched[index] === UNMATCHED ? places.get(full(each)) : undefined;
    if (from !== undefined && !taken.has(from)) pair(from, index);
  });
}

interface Gap {
  old: [number, number];
  fresh: [number, number];
}

/** The stretches between the pairs that are in the same order in both. */
function gaps(matched: readonly number[], oldLength: number): Gap[] {
  const found: Gap[] = [];
  let begin: [number, number] = [0, 0];
  for (const to of [...inOrder(matched), matched.length]) {
    const from = to < matched.length ? (matched[to] ?? oldLength) : oldLength;
    if (from > begin[0] && to > begin[1]) found.push({ old: [begin[0], from], fresh: [begin[1], to] });
    begin = [from + 1, to + 1];
  }
  return found;
}

/** Pairs what is left in a gap, in order, so that as many words as possible stay where they are. */
function pairAlike(
  old: readonly Comparable[],
  fresh: readonly Comparable[],
  gap: Gap,
  taken: ReadonlySet<number>,
  pair: Pair,
): void {
  const from = range(gap.old).filter((index) => !taken.has(index) && !old[index]?.name);
  const to = range(gap.fresh).filter((index) => !fresh[index]?.name);
  const score = (i: number, j: number): number => {
    const [a, b] = [old[from[i] ?? -1], fresh[to[j] ?? -1]];
    if (!a || a.key !== b?.key) return 0;
    return from.length * to.length > MOST_COMPARED ? 1 : 1 + 100 * likeness(a.words(), b.words());
  };
  for (const [i, j] of bestPairs(from.length, to.length, score)) {
    const [a, b] = [from[i], to[j]];
    if (a !== undefined && b !== undefined) pair(a, b);
  }
}

/** Pairs (i, j) in ascending order with the highest sum of scores; a pair without a score is none. */
export function bestPairs(rows: number, columns: number, score: (i: number, j: number) => number): [number, number][] {
  if (rows * columns > 40_000) return inTurn(rows, columns, score);
  const best = Array.from({ length: rows + 1 }, () => new Float64Array(columns + 1));
  const at = (i: number, j: number): number => best[i]?.[j] ?? 0;
  const scores = Array.from({ length: rows }, (_, i) => Float64Array.from({ length: columns }, (_, j) => score(i, j)));
  const given = (i: number, j: number): number => scores[i]?.[j] ?? 0;
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      const together = given(i, j) ? given(i, j) + at(i + 1, j + 1) : 0;
      const row = best[i];
      if (row) row[j] = Math.max(together, at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (given(i, j) && at(i, j) === given(i, j) + at(i + 1, j + 1)) pairs.push([i++, j++]);
    else if (at(i, j) === at(i + 1, j)) i++;
    else j++;
  }
  return pairs;
}

/** The first that fits each, where there are too many to find the best. */
function inTurn(rows: number, columns: number, score: (i: number, j: number) => number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < rows && j < columns; i++) if (score(i, j)) pairs.push([i, j++]);
  return pairs;
}

/** The share of words that two have in common, from 0 to 1. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let common = 0;
  for (const word of a) if (b.has(word)) common++;
  const all = a.size + b.size - common;
  return all ? common / all : 0;
}

/** The positions of a longest ascending sequence of the values that are not -1: what need not be moved. */
export function inOrder(values: readonly number[]): number[] {
  const tails: number[] = []; // the position of the smallest last value of an ascending sequence of each length
  const before = new Array<number>(values.length).fill(UNMATCHED);
  values.forEach((value, index) => {
    if (value === UNMATCHED) return;
    let [low, high] = [0, tails.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((values[tails[middle] ?? -1] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    before[index] = tails[low - 1] ?? UNMATCHED;
    tails[low] = index;
  });
  const found: number[] = [];
  for (let index = tails.at(-1) ?? UNMATCHED; index !== UNMATCHED; index = before[index] ?? UNMATCHED) found.push(index);
  return found.reverse();
}

function range([begin, end]: [number, number]): number[] {
  return Array.from({ length: end - begin }, (_, index) => begin + index);
}
