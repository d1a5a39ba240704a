import { destination, type Logger as PinoLogger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config/schema.ts';

/** More than the `Logger` that the broker's parts get: the program can also say that it fails. */
export type ProgramLogger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'isLevelEnabled'>;

/** Structured lines on standard output: JSON, or for people when that is a terminal. Written in this thread, so none is lost. */
export function createLogger(config: Config['log']): ProgramLogger {
  const forPeople = config.format === 'pretty' || (config.format === 'auto' && process.stdout.isTTY === true);
  const stream = forPeople
    ? pretty({ sync: true, singleLine: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' })
    : destination({ fd: 1, sync: true });
  return pino({ level: config.level, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
