/** The protocol versions, as numbers that order and index them. */

export const VERSION = { v10: 0, v11: 1, v12: 2 } as const;

export type Version = (typeof VERSION)[keyof typeof VERSION];

/** Names by version, as `accept-version` and `version` write them. */
export const VERSION_NAMES = ['1.0', '1.1', '1.2'] as const;

const DESCENDING: readonly Version[] = [VERSION.v12, VERSION.v11, VERSION.v10];

/**
 * The highest version in common with `accept-version` (STOMP 1.2, Protocol Negotiation); undefined when there is none.
 * A client that names none speaks 1.0.
 */
export function negotiate(accepted: string | undefined): Version | undefined {
  if (accepted === undefined) return VERSION.v10;
  const names = accepted.split(',').map((name) => name.trim());
  return DESCENDING.find((version) => names.includes(VERSION_NAMES[version]));
}
