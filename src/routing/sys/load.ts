/** How much of something there is per minute, as means that forget: those of 1, 5 and 15 minutes. */

/** Minutes after which what was counts for 1/e of what it did. */
export const SPANS = [1, 5, 15] as const;

export type Span = (typeof SPANS)[number];

export class LoadAverages {
  #total = 0;
  readonly #means = new Map<Span, number>(SPANS.map((span) => [span, 0]));

  /** `total`: of all there was since the start; `seconds`: since it was last told, more than 0. */
  update(total: number, seconds: number): void {
    const rate = ((total - this.#total) * 60) / seconds;
    this.#total = total;
    for (const [span, mean] of this.#means) {
      const rest = Math.exp(-seconds / (60 * span));
      this.#means.set(span, rate + rest * (mean - rate));
    }
  }

  /** Per minute. */
  mean(span: Span): number {
    return this.#means.get(span) ?? 0;
  }
}
