import { destination, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config/schema.ts';
import type { Logger } from './ports/routing.ts';

/** Structured lines on standard output: JSON, or for people when that is a terminal. Written in this thread, so none is lost. */
export function createLogger(config: Config['log']): Logger {
  const forPeople = config.format === 'pretty' || (config.format === 'auto' && process.stdout.isTTY === true);
  const stream = forPeople
    ? pretty({ sync: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' })
    : destination({ fd: 1, sync: true });
  return pino({ level: config.level }, stream);
}
