/** A process that the service shares its store and database with: a table held, a server that is gone. */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from './service';

/** Holds a table so that whatever reads it has to wait; gives what lets go. */
export async function hold(service: Service, table = 'prefix'): Promise<() => void> {
  const child = spawn('psql', ['-XqAt', service.url()], { stdio: ['pipe', 'pipe', 'inherit'] });
  const held = new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdin.write(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n`);
  await held;
  return () => { child.stdin.end('ROLLBACK;\n'); };
}

/** Ends the service as a crash does. */
export function crash(service: Service): void {
  process.kill(service.pid, 'SIGKILL');
}

/** Stops or continues the database server: it does not answer, as one that hangs. */
export function server(service: Service, signal: 'STOP' | 'CONT'): void {
  const file = readdirSync(service.folder, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('postmaster.pid'));
  const postmaster = Number(readFileSync(join(service.folder, file ?? ''), 'utf8').split('\n')[0]);
  process.kill(postmaster, `SIG${signal}`);
  // Those that answer over open connections, too.
  for (const child of execFileSync('pgrep', ['-P', String(postmaster)]).toString().trim().split('\n')) process.kill(Number(child), `SIG${signal}`);
}
