import type { BrokerName } from './brokers.ts';
import type { Load } from './load.ts';
import type { Ratio, Scenario } from './scenarios.ts';

/** Messages a second the generator must be able to handle, to say nothing about brokers by its own speed. */
const CEILING = 2_000_000;

/** What a broker's runs of one scenario come to. */
export interface Summary {
  readonly broker: BrokerName;
  readonly rate: number;
  readonly best: number;
  readonly lost: number;
  readonly repeated: number;
  readonly brokerCpuPerMillion: number;
  readonly brokerCpu: number;
  readonly generatorCpu: number;
  readonly residentBytes: number;
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

export function summarize(broker: BrokerName, loads: readonly Load[]): Summary {
  const middle = (pick: (load: Load) => number): number => median(loads.map(pick));
  const sum = (pick: (load: Load) => number): number => loads.reduce((total, load) => total + pick(load), 0);
  return {
    broker,
    rate: middle((load) => load.rate),
    best: Math.max(...loads.map((load) => load.rate)),
    lost: sum((load) => load.lost + load.unacknowledged),
    repeated: sum((load) => load.repeated),
    brokerCpuPerMillion: middle((load) => load.brokerCpuPerMillion),
    brokerCpu: middle((load) => load.brokerCpu),
    generatorCpu: middle((load) => load.generatorCpu),
    residentBytes: middle((load) => load.residentBytes),
  };
}

const COLUMNS = ['', 'messages/s', 'best', 'lost', 'repeated', 'CPU s/M', 'cores', 'generator', 'RSS MB'];
const WIDTHS = [26, 12, 12, 9, 9, 9, 7, 11, 8];

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(WIDTHS[0] ?? 0) : cell.padStart(WIDTHS[i] ?? 0))).join('');
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** All scenarios of one run, with the ratios that the run itself gives. */
export function table(rows: readonly { scenario: Scenario; summaries: readonly Summary[] }[]): string {
  const lines = [line(COLUMNS)];
  for (const { scenario, summaries } of rows) {
    lines.push(scenario.title);
    for (const summary of summaries) {
      lines.push(
        line([
          `  ${summary.broker}`,
          whole(summary.rate),
          whole(summary.best),
          whole(summary.lost),
          whole(summary.repeated),
          summary.brokerCpuPerMillion.toFixed(2),
          summary.brokerCpu.toFixed(2),
          summary.generatorCpu.toFixed(2),
          whole(summary.residentBytes / 1e6),
        ]),
      );
    }
    const ceiling = summaries.find(({ broker }) => broker === 'relay')?.rate;
    if (ceiling !== undefined) lines.push(`  the generator's own ceiling${verdictOn(ceiling, CEILING)}`);
    for (const each of scenario.ratios) {
      const ratio = ratioOf(each, summaries, ({ rate }) => rate);
      const perCpu = ratioOf(each, summaries, ({ brokerCpuPerMillion }) => 1 / brokerCpuPerMillion);
      if (ratio === undefined || perCpu === undefined) continue;
      const verdict = verdictOn(ratio, each.target);
      lines.push(
        `  ${each.ours} / ${each.theirs}: ${ratio.toFixed(1)}${verdict}; by processor time: ${perCpu.toFixed(1)}`,
      );
    }
  }
  return lines.join('\n');
}

export function ratioOf(
  ratio: Ratio,
  summaries: readonly Summary[],
  pick: (summary: Summary) => number,
): number | undefined {
  const ours = summaries.find(({ broker }) => broker === ratio.ours);
  const theirs = summaries.find(({ broker }) => broker === ratio.theirs);
  return ours === undefined || theirs === undefined ? undefined : pick(ours) / pick(theirs);
}

function verdictOn(value: number, target: number | undefined): string {
  if (target === undefined) return '';
  return ` (target ${target}: ${value >= target ? 'reached' : 'NOT reached'})`;
}
