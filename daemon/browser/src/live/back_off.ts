// How long to wait between tries to connect: for ever, but never often. Pure.

const FIRST_MS = 100;
const MOST_MS = 3_000;

export class BackOff {
  #next = FIRST_MS;

  /** `random` is from 0 to 1: browsers must not come back all at once. */
  next(random: number): number {
    const wait = this.#next * (0.75 + random / 2);
    this.#next = Math.min(this.#next * 2, MOST_MS);
    return wait;
  }

  reset(): void {
    this.#next = FIRST_MS;
  }
}
