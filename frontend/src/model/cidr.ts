/** IP networks as numbers: parsing, order, containment. IPv4 and IPv6. */

export interface Network {
  version: 4 | 6;
  address: bigint;
  length: number;
}

const BITS = { 4: 32, 6: 128 } as const;

function v4(text: string): bigint | null {
  const parts = text.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return null;
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function groups(text: string): bigint[] | null {
  if (text === '') return [];
  const found: bigint[] = [];
  const parts = text.split(':');
  for (const [place, part] of parts.entries()) {
    const dotted = place === parts.length - 1 && part.includes('.') ? v4(part) : null;
    if (dotted !== null) found.push(dotted >> 16n, dotted & 0xffffn);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) found.push(BigInt(`0x${part}`));
    else return null;
  }
  return found;
}

function v6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = groups(halves[0] ?? '');
  const tail = groups(halves[1] ?? '');
  if (!head || !tail) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...Array.from({ length: missing }, () => 0n), ...tail];
  return all.reduce((sum, group) => (sum << 16n) | group, 0n);
}

/** The network that a text names; null if it names none. A bare address is a host. */
export function network(text: string): Network | null {
  const [address = '', length, more] = text.split('/');
  const version = address.includes(':') ? 6 : 4;
  const number = version === 6 ? v6(address) : v4(address);
  if (number === null || more !== undefined) return null;
  if (length === undefined) return { version, address: number, length: BITS[version] };
  if (!/^\d{1,3}$/.test(length) || Number(length) > BITS[version]) return null;
  return { version, address: number, length: Number(length) };
}

/** IPv4 first, then by address, the wider network before what it holds. */
export function order(a: Network, b: Network): number {
  if (a.version !== b.version) return a.version - b.version;
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.length - b.length;
}

export function contains(outer: Network, inner: Network): boolean {
  if (outer.version !== inner.version || outer.length > inner.length) return false;
  const shift = BigInt(BITS[outer.version] - outer.length);
  return outer.address >> shift === inner.address >> shift;
}
