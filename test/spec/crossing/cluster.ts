import { suite } from 'uvu';
import { findTool, requireTool } from '../../support/tools.ts';
import { crossings } from './support/crossings.ts';
import { twoOnNats } from './support/scene.ts';

/** The same with sender and receiver on two gateways of one NATS server. */

const program = findTool('nats-server');
if (program === undefined) {
  const test = suite('crossing nodes');
  requireTool(test, 'nats-server', 'each protocol to each, between two gateways', () => {});
  test.run();
} else {
  crossings('crossing nodes', () => twoOnNats(program));
}
