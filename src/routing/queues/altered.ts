import { Message, type Properties, type Qos } from '../../core/message.ts';

/** The same message with other properties, and where it is said with another topic or QoS; never retained. */
export function altered(
  message: Message,
  properties: Properties,
  { topic = message.topic, qos = message.qos, timestamp = message.timestamp }: Changes = {},
): Message {
  const { data, start, end, publisher } = message.keep();
  const copy = new Message(topic, data, start, end, qos, false, properties, publisher, timestamp, true);
  copy.dedupId = message.dedupId;
  return copy;
}

/** The same message for one of several queues: each gives it an id of its own. */
export function copied(message: Message): Message {
  const copy = message.with(message.qos, false);
  copy.dedupId = message.dedupId;
  return copy;
}

interface Changes {
  readonly topic?: string;
  readonly qos?: Qos;
  readonly timestamp?: number;
}
