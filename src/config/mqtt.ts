import { z } from 'zod';
import { flag, integer } from './field.ts';

/** The section `mqtt`: what MQTT clients are offered. */
export const section = z.strictObject({
  maximumQos: integer(
    2,
    0,
    2,
    'Highest QoS at which clients publish (Maximum QoS), and at which messages go to them; MQTT 5 clients are told, earlier ones are disconnected',
  ),
  retain: flag(true, 'Whether clients have messages retained, and get retained ones (Retain Available)'),
  wildcards: flag(true, 'Whether filters may have + and # (Wildcard Subscription Available)'),
  subscriptionIdentifiers: flag(
    true,
    'Whether subscriptions may have identifiers (Subscription Identifiers Available)',
  ),
  sharedSubscriptions: flag(true, 'Whether there is $share/GROUP/FILTER (Shared Subscription Available)'),
  validatePayloadFormat: flag(
    false,
    'Whether payloads that are said to be UTF-8 (Payload Format Indicator 1) are looked at, and refused where they are not',
  ),
});
