import { BrokerError } from '../../src/core/errors.ts';
import { mqttFilterFault } from '../../src/core/filter.ts';
import type { Principal } from '../../src/ports/authorizer.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { SubscribeRequest } from './packets.ts';
import type { MqttSession } from './session.ts';
import { isShared, parseShared, sharedFault } from './shared.ts';

/** Why a subscription is refused; undefined when it is not. Throws where the whole packet is at fault. */
export function subscribeFault(
  { limits, authorizer, logger }: Services,
  session: MqttSession,
  principal: Principal,
  { filter, noLocal }: SubscribeRequest,
): BrokerError | undefined {
  const shared = isShared(filter);
  if (shared && noLocal) throw new BrokerError('protocol', 'No Local on a shared subscription [MQTT-3.8.3-4]');
  const fault = shared ? sharedFault(filter, limits) : mqttFilterFault(filter, limits);
  const count = session.subscriptionCount;
  let error: BrokerError | undefined;
  if (fault !== undefined) error = new BrokerError('filterInvalid', `the filter ${fault}`);
  else if (filter.startsWith('$queue/')) error = new BrokerError('unsupported', 'queues are consumed over STOMP');
  else if (!authorizer.maySubscribe(principal, shared ? parseShared(filter).filter : filter)) {
    error = new BrokerError('notAuthorized', `not allowed to subscribe to ${filter}`);
  } else if (count >= limits.subscriptionsPerSession && !session.hasSubscription(filter)) {
    error = new BrokerError('quota', `${count} subscriptions already (limits.subscriptionsPerSession)`);
  }
  if (error !== undefined)
    logger.warn({ clientId: session.clientId, filter, reason: error.message }, 'a subscription was refused');
  return error;
}
