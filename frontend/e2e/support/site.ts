/** What happens to an address plan on a bad day, and what is left of it. */
import type { Service } from './service';

/** A bad import, a deleted site and a mass edit; as SQL of the application. */
const MISHAPS = [
  "INSERT INTO vrf (vrf_id, description) VALUES ('prod-vrf-copy', 'import of export (2) FINAL.xlsx')",
  `INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
     SELECT 'manual-prod-vrf-copy-10-' || n || '-0-0-16', 'prod-vrf-copy', ('10.' || n || '.0.0/16')::cidr, 'manual', true FROM generate_series(1, 40) n`,
  `UPDATE prefix SET tags = tags || '{"owner": "nobody"}' WHERE prefix_id IN
     (SELECT prefix_id FROM prefix WHERE vrf_id = 'prod-vrf' AND source = 'manual' ORDER BY prefix_id LIMIT 120)`,
  `DELETE FROM prefix WHERE prefix_id IN (SELECT prefix_id FROM prefix p WHERE source = 'manual' AND vrf_id = 'prod-vrf'
     AND NOT EXISTS (SELECT FROM prefix c WHERE c.parent_prefix_id = p.prefix_id)
     AND NOT EXISTS (SELECT FROM vpc_prefix_association a WHERE a.parent_prefix_id = p.prefix_id)
     ORDER BY prefix_id DESC LIMIT 60)`,
];

export function makeMess(service: Service): void {
  service.sql(MISHAPS.join(';\n'));
}

/** The plan in one word: the same word, the same rows. */
export function fingerprint(service: Service): string {
  const tables = ['vrf', 'vpc', 'prefix', 'vpc_prefix_association'];
  const of = (table: string) => `(SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM ${table} t)`;
  return service.sql(`SELECT concat_ws(' ', ${tables.map(of).join(', ')})`);
}
