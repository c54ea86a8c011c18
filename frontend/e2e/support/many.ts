/** A list of thousands, grown from the real one: the service would take long to make them. */
import type { Page } from 'playwright-core';

interface Listed {
  backup_id: string;
  created_at: string;
  timestamp: string;
  description: string;
  created_by: string;
  backup_type: string;
  added_size: number;
  pinned: boolean;
  restore_tested: boolean;
  labels: Record<string, string>;
}

const HOUR = 3_600_000;
const NAMES = ['Before the Frankfurt renumbering', 'Before VLAN import 4711', 'Firewall change CHG-20931', 'IPv6 rollout, wave 3', 'Before the AWS account merge'];

/** Hourly of late, a few a day before that, and none on some days. */
function older(real: Listed, place: number): Listed | null {
  const hours = place < 600 ? place : 600 + (place - 600) * 3.2;
  const at = new Date(new Date(real.created_at).getTime() - (hours + 1) * HOUR - (place * 7919) % 400_000);
  if (at.getUTCDate() % 11 === 3 && place > 600) return null;
  const iso = at.toISOString();
  const named = place % 9 === 4;
  return {
    ...real,
    backup_id: iso.slice(0, 19).replaceAll('-', '').replaceAll(':', '').replace('T', '_'),
    created_at: iso.replace('Z', '000Z'),
    timestamp: iso.replace('Z', '000'),
    description: named ? (NAMES[(place * 13) % NAMES.length] ?? '') : `Backup created on ${iso.slice(0, 19).replace('T', ' ')}`,
    created_by: named ? (['alice', 'm.okafor', 'bob'][place % 3] ?? '') : 'schedule',
    added_size: 18_000 + ((place * 7919) % 97) ** 2 * 40,
    pinned: place % 130 === 4,
    restore_tested: place % 210 === 13,
    labels: place % 90 === 4 ? { change: `CHG-${20_000 + place}` } : {},
  };
}

export async function manyBackups(page: Page, many: number): Promise<void> {
  // The grown ones are not there: what each changed is made up, too.
  await page.route('**/api/backup/*/changes', async (route) => {
    const answer = await route.fetch();
    const id = /backup\/(\w+)\/changes/.exec(route.request().url())?.[1] ?? '';
    const dice = Number(id.slice(-4));
    const datasets = { prefixes: { added: dice % 7, changed: (dice * 31) % 40, touched: 0, removed: dice % 3 } };
    await route.fulfill(answer.ok() ? { response: answer } : { json: { status: 'success', backup_id: id, before: id, datasets } });
  });
  await page.route('**/api/backups', async (route) => {
    const answer = await route.fetch();
    const list = (await answer.json()) as { backups: Listed[]; count: number };
    const [real] = list.backups;
    for (let place = 0; real && list.backups.length < many; place += 1) {
      const next = older(real, place);
      if (next) list.backups.push(next);
    }
    await route.fulfill({ response: answer, json: { ...list, count: list.backups.length } });
  });
}
