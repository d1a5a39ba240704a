/**
 * How long a fuzzing test runs, and with which seed: a fixed number of runs and a new seed each time, unless TRIMARAN_RUNS and
 * TRIMARAN_SEED say otherwise. TRIMARAN_PATH goes straight to the case that fast-check printed with its seed.
 */
export interface Runs {
  readonly numRuns: number;
  readonly seed: number;
  readonly path?: string;
  readonly includeErrorInReport: true;
}

const SEED = Number(process.env.TRIMARAN_SEED ?? Date.now() % 1_000_000_000);
const { TRIMARAN_RUNS, TRIMARAN_PATH } = process.env;

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
