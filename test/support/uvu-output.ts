/** What became of one test file. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What is wrong beside tests that failed. */
  readonly fault: string | undefined;
  /** Lines that tests print for whoever reads the result: why one is skipped, what one measured. */
  readonly remarks: readonly string[];
}

/** Reads what uvu printed, and the exit code. Whatever is not a clean report counts as one failure at least. */
export function read(output: string, exitCode: number | null): Outcome {
  const total = count(output, 'Total');
  const passed = count(output, 'Passed');
  const skipped = count(output, 'Skipped');
  // What a test prints while it runs stands behind the name of the suite and the marks of the tests before it.
  const remarks = [...output.matchAll(/(?:^|\s)((?:skipped|measured): .*)$/gm)].map(([, line = '']) => line);
  const explained = remarks.some((line) => line.startsWith('skipped: '));
  let fault: string | undefined;
  if (total === undefined || passed === undefined || skipped === undefined) fault = `no report, exit code ${exitCode}`;
  else if (total + skipped === 0) fault = 'it holds no test';
  else if (exitCode !== 0 && total === passed) fault = `exit code ${exitCode}`;
  else if (skipped > 0 && !explained) fault = 'tests are skipped without a line "skipped: why"';
  const failed = Math.max((total ?? 0) - (passed ?? 0), fault === undefined ? 0 : 1);
  return { passed: passed ?? 0, failed, skipped: skipped ?? 0, fault, remarks };
}

/** The sum of all lines of that name, or undefined when there is none. */
function count(output: string, name: string): number | undefined {
  const lines = [...output.matchAll(new RegExp(`^\\s*${name}:\\s+(\\d+)\\s*$`, 'gm'))];
  return lines.length === 0 ? undefined : lines.reduce((sum, [, digits]) => sum + Number(digits), 0);
}
