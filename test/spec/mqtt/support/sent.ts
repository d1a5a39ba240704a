import type { Sent } from '../../../../protocols/mqtt/inflight.ts';

/** A message of the log, as it is sent first. */
export function sentAt(qos: 1 | 2): Sent {
  return {
    qos,
    shard: 0,
    sequence: 1,
    message: undefined,
    retain: false,
    released: false,
    source: '',
    holding: undefined,
    delivery: 0,
  };
}
