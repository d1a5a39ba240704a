import { type Answer, json } from './respond.ts';

/** The process runs and its event loop turns, or this would not be answered. */
export function live(): Answer {
  return json(200, { status: 'live' });
}

/** Whether clients should be sent here. `reason`: why not, in words. */
export function ready(reason: string | undefined): Answer {
  return reason === undefined ? json(200, { status: 'ready' }) : json(503, { status: 'not ready', reason });
}
