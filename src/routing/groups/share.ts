/** Which group it is, in the whole cluster: `NAME/FILTER`, as behind `$share/`. A name has no slash [MQTT-4.8.2-1]. */
export function shareOf(name: string, filter: string): string {
  return `${name}/${filter}`;
}

export function readShare(share: string): { readonly name: string; readonly filter: string } {
  const slash = share.indexOf('/');
  return { name: share.slice(0, slash), filter: share.slice(slash + 1) };
}
