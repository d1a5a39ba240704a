import { BrokerError } from '../../src/core/errors.ts';
import { formatPosition, START_FORMS } from '../../src/core/start.ts';
import type { GroupStatus } from '../../src/ports/queues.ts';
import { type JsonObject, RequestError } from './codec.ts';
import type { Link } from './link.ts';
import { readFilter, readGroup, readStart } from './subscribe.ts';
import type { Tasks } from './tasks.ts';

/** What can be done with a group besides being one of its members: seeing how far it is, and moving it. */

export type GroupOperation = 'groupStatus' | 'moveGroup';

/** `id`: of the request, as JSON text. Needs the right to subscribe to the group's filter. */
export function doGroupOperation(
  operation: GroupOperation,
  request: JsonObject,
  id: string | undefined,
  link: Link,
  tasks: Tasks,
): void {
  const { answers, principal, services } = link;
  const { authorizer, groups, limits } = services;
  const group = readGroup(request, limits);
  const filter = readFilter(request, limits);
  if (!authorizer.maySubscribe(principal, filter)) {
    throw new RequestError('notAuthorized', 'filter', 'not authorized to subscribe to this filter');
  }
  if (operation === 'groupStatus') {
    if (id === undefined) throw new RequestError('fieldInvalid', 'id', 'id is missing; the answer repeats it');
    const asked = groups.status(group, filter).then((status) => {
      if (status === undefined) throw new BrokerError('notFound', 'there is no such group');
      return status;
    });
    tasks.run(asked, id, (status) => answers.ack(id, `,"status":${JSON.stringify(shownStatus(status))}`));
    return;
  }
  const start = readStart(request);
  if (start === undefined)
    throw new RequestError('fieldInvalid', 'start', `start is missing; one of ${START_FORMS} is expected`);
  tasks.run(groups.move(group, filter, start), id, () => answers.ack(id));
}

/** Positions are texts, as everywhere: good for `start`. */
function shownStatus({ positions, ends, ...status }: GroupStatus): object {
  const texts = (numbers: readonly number[]): string[] => numbers.map((each, shard) => formatPosition(shard, each));
  return { ...status, positions: texts(positions), ends: texts(ends) };
}
