import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Address } from '../../src/broker.ts';

const MAIN = join(import.meta.dirname, '../../src/main.js');
/** Milliseconds it may take to start. */
const START = 15_000;

export interface BrokerProcess {
  readonly pid: number;
  readonly mqtt: Address;
  readonly stomp: Address;
  readonly http: Address;
  /** Resident memory now, bytes. */
  rss(): number;
  /** Ends it by SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>;
  /** Ends it by SIGKILL, in the middle of whatever it does. */
  kill(): Promise<void>;
  /** Stops and continues it (SIGSTOP, SIGCONT). */
  freeze(): void;
  thaw(): void;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The broker as users run it, in a process of its own, on free ports. */
export function startBrokerProcess(...settings: readonly string[]): Promise<BrokerProcess> {
  return startBrokerUnder([], settings);
}

/** The same under a program that runs it (and stays its child, not its parent, so that signals reach the broker). */
export function startBrokerUnder(wrapper: readonly string[], settings: readonly string[]): Promise<BrokerProcess> {
  const all = [
    'listeners.mqtt.port=0',
    'listeners.stomp.port=0',
    'listeners.http.port=0',
    'backbone.type=memory',
    'log.format=json',
    ...settings,
  ];
  const [command = process.execPath, ...args] = [...wrapper, process.execPath, MAIN, 'start'];
  const child = spawn(command, [...args, ...all.flatMap((each) => ['--set', each])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const exited = new Promise<number | null>((resolve) => {
    child.on('exit', (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the broker did not start in time')), START);
    exited.then((code) => reject(new Error(`the broker ended with code ${code}`)));
    const addresses = new Map<string, Address>();
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, host, port }: { msg: string; host?: string; port?: number } = JSON.parse(line);
      const name = /^(MQTT|STOMP|HTTP)/.exec(msg)?.[1];
      if (name !== undefined && host !== undefined && port !== undefined) addresses.set(name, { host, port });
      const [mqtt, stomp, http] = ['MQTT', 'STOMP', 'HTTP'].map((each) => addresses.get(each));
      const pid = child.pid;
      if (mqtt === undefined || stomp === undefined || http === undefined || pid === undefined) return;
      clearTimeout(timer);
      resolve({
        pid,
        mqtt,
        stomp,
        http,
        rss: () => residentBytes(pid),
        stop: () => {
          child.kill('SIGTERM');
          return exited;
        },
        kill: async () => {
          child.kill('SIGKILL');
          await exited;
        },
        freeze: () => void child.kill('SIGSTOP'),
        thaw: () => void child.kill('SIGCONT'),
      });
    });
  });
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
