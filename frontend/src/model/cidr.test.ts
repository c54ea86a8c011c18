import { describe, expect, it } from 'vitest';
import { contains, network, order } from './cidr';

const parsed = (text: string) => { const found = network(text); if (!found) throw new Error(text); return found; };

describe('networks', () => {
  it('are read in every way that PostgreSQL writes them', () => {
    expect(parsed('10.1.0.0/16')).toEqual({ version: 4, address: 0x0a010000n, length: 16 });
    expect(parsed('203.0.113.10')).toMatchObject({ length: 32 });
    expect(parsed('2001:db8::/32')).toEqual({ version: 6, address: 0x20010db8n << 96n, length: 32 });
    expect(parsed('::ffff:192.0.2.1')).toEqual({ version: 6, address: 0xffffc0000201n, length: 128 });
  });

  it.each(['', 'ten', '10.1.0/16', '10.1.0.256', '10.0.0.0/33', '1:2:3/64', '::1::2', '2001:db8::/129', '1.2.3.4/8/9'])('are not read from %j', (text) => {
    expect(network(text)).toBeNull();
  });

  it('stand in the order of their addresses, the wider first', () => {
    const texts = ['2001:db8::/32', '10.16.1.0/24', '10.2.0.0/16', '10.16.0.0/16', '10.16.0.0/24'];
    const sorted = texts.toSorted((a, b) => order(parsed(a), parsed(b)));
    expect(sorted).toEqual(['10.2.0.0/16', '10.16.0.0/16', '10.16.0.0/24', '10.16.1.0/24', '2001:db8::/32']);
  });

  it('contain what lies within them, and themselves', () => {
    expect(contains(parsed('10.16.0.0/12'), parsed('10.31.255.0/24'))).toBe(true);
    expect(contains(parsed('10.16.0.0/16'), parsed('10.16.0.0/16'))).toBe(true);
    expect(contains(parsed('10.16.0.0/16'), parsed('10.17.0.0/24'))).toBe(false);
    expect(contains(parsed('10.16.0.0/24'), parsed('10.16.0.0/16'))).toBe(false);
    expect(contains(parsed('0.0.0.0/0'), parsed('::/128'))).toBe(false);
  });
});
