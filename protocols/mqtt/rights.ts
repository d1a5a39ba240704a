import { BrokerError } from '../../src/core/errors.ts';
import { type PartialSettings, settingsOfHeaders } from '../../src/core/queue-settings.ts';
import type { Authorizer, Principal } from '../../src/ports/authorizer.ts';
import { settingsRefusal } from '../../src/ports/rights.ts';
import { kindOf, parseShared } from './filters.ts';
import type { SubscriptionOptions } from './session-state.ts';

/** What the client needs the right to subscribe to: of a share, what is shared. */
export function rightOf(filter: string): string {
  return kindOf(filter) === 'group' ? parseShared(filter).filter : filter;
}

/** Throws a BrokerError for settings that reach further than the client may. */
export function requireSettings(authorizer: Authorizer, principal: Principal, settings: PartialSettings): void {
  const refusal = settingsRefusal(authorizer, principal, settings);
  if (refusal !== undefined) throw new BrokerError('notAuthorized', `the settings of the queue, ${refusal}`);
}

/** Whether a client that had this subscription when it was here last may still have it. */
export function mayResume(
  authorizer: Authorizer,
  principal: Principal,
  { filter, wishes }: Pick<SubscriptionOptions, 'filter' | 'wishes'>,
): boolean {
  try {
    requireSettings(authorizer, principal, settingsOfHeaders(wishes));
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return false;
  }
  return authorizer.maySubscribe(principal, rightOf(filter));
}
