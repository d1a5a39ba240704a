import { BrokerError } from '../core/errors.ts';
import type { PartialSettings } from '../core/queue-settings.ts';
import type { Queues } from '../ports/queues.ts';

/**
 * Makes the queues that the configuration declares, in its order. Rejects, and says which of them it is about, when one is
 * there with other settings or cannot be made.
 */
export async function declareQueues(
  queues: Pick<Queues, 'declare'>,
  declared: readonly { readonly name: string; readonly settings: PartialSettings }[],
): Promise<void> {
  for (const [index, { name, settings }] of declared.entries()) {
    try {
      await queues.declare(name, settings);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      throw new BrokerError(error.code, `queues.declared[${index}] (${JSON.stringify(name)}): ${error.message}`);
    }
  }
}
