/**
 * How long a fuzzing test runs, and with which seed: a fixed number of runs and a new seed each time, unless TRIMARAN_RUNS and
 * TRIMARAN_SEED say otherwise. TRIMARAN_PATH goes straight to the case that fast-check printed with its seed. CI has one seed: what
 * it says is of the change at hand, and not of a fault, often of another program that serves as a second opinion, which was there
 * before and is found by chance.
 */
export interface Runs {
  readonly numRuns: number;
  readonly seed: number;
  readonly path?: string;
  readonly includeErrorInReport: true;
}

const { CI, TRIMARAN_SEED, TRIMARAN_RUNS, TRIMARAN_PATH } = process.env;
const CI_SEED = 1;
const SEED = Number(TRIMARAN_SEED ?? (CI === 'true' ? CI_SEED : Date.now() % 1_000_000_000));

/** `usual`: the number of runs in CI. */
export function runs(usual: number): Runs {
  return {
    numRuns: TRIMARAN_RUNS === undefined ? usual : Number(TRIMARAN_RUNS),
    seed: SEED,
    includeErrorInReport: true,
    ...(TRIMARAN_PATH !== undefined && { path: TRIMARAN_PATH }),
  };
}

/** Told in the test's output, so that a run that hung or crashed can be repeated, too. */
export function tellSeed(): void {
  console.log(`measured: seed ${SEED}`);
}
