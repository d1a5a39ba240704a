/**
 * Whether a page of this origin may open a WebSocket here. Programs send no Origin; browsers always do, and a page of
 * another site must not reach a broker that trusts the machine it runs on.
 */
export function originAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined) return true;
  if (allowed.includes('*') || allowed.includes(origin)) return true;
  // Behind a proxy that ends TLS the scheme differs; host and port decide, and only http(s) has pages.
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}
