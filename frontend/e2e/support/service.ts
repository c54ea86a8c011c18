/** The real service with its private PostgreSQL and a sample plan, for the time of a test file. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const ROOT = new URL('../../..', import.meta.url).pathname;
const PATIENCE = 60_000;

export interface Service {
  base: string;
  pid: number;
  /** Where all that it makes is. */
  folder: string;
  /** The answer of a call, as it is. */
  call: <T>(method: string, path: string, body?: unknown) => Promise<T>;
  /** Changes the plan behind the service's back, as the application does. */
  sql: (statement: string) => string;
  /** The program's own verbs, on the same store and database. */
  run: (...words: string[]) => string;
  /** The database's address, as psql takes it. */
  url: () => string;
  /** Turns a byte of each pack over. */
  damage: () => void;
  stop: () => Promise<void>;
}

function program(): string {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
  const places = [process.env.IPAM_REWIND, join(target, 'debug/ipam-rewind'), join(target, 'release/ipam-rewind')];
  const found = places.find((place) => place && existsSync(place));
  if (!found) throw new Error('ipam-rewind is not built: cargo build');
  return found;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => { resolve(typeof address === 'object' && address ? address.port : 0); });
    });
  });
}

async function waitUntilReady(base: string, child: ChildProcess, log: () => string): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`the service ended:\n${log()}`);
    const answer = await fetch(`${base}/api/ready`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`the service does not get ready:\n${log()}`);
}

export async function start(...more: string[]): Promise<Service> {
  const folder = mkdtempSync('/tmp/page-');
  // The server's own account has to get to its folder in here.
  chmodSync(folder, 0o711);
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const store = join(folder, 'store');
  const binary = program();
  const words = ['--store', store, 'serve', '--embedded', '--listen', `127.0.0.1:${port}`, ...more];
  // Its PostgreSQL makes its socket in a folder of this folder.
  const environment = { ...process.env, TMPDIR: folder, NO_COLOR: '1' };
  const child = spawn(binary, words, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => lines.push(data.toString()));
  await waitUntilReady(base, child, () => lines.join(''));

  const socket = () => join(folder, readdirSync(folder).find((name) => name.startsWith('ipam-rewind-') && !name.includes('scratch')) ?? '');
  const url = () => `postgres://prefix_user@localhost/ipam?host=${encodeURIComponent(socket())}`;
  return {
    base,
    pid: child.pid ?? 0,
    folder,
    async call<T>(method: string, path: string, body?: unknown): Promise<T> {
      const headers = { 'Content-Type': 'application/json' };
      const answer = await fetch(`${base}${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as T;
    },
    sql: (statement) => execFileSync('psql', ['-XqAt', '-v', 'ON_ERROR_STOP=1', url(), '-c', statement]).toString().trim(),
    run: (...verb) => execFileSync(binary, ['--store', store, '--database-url', url(), ...verb], { env: environment }).toString(),
    url,
    damage() {
      const packs = readdirSync(join(store, 'packs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.pack'));
      for (const name of packs) {
        const path = join(store, 'packs', name);
        const bytes = readFileSync(path);
        const middle = Math.floor(bytes.length / 2);
        bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
        writeFileSync(path, bytes);
      }
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Makes a backup of this name; gives its id. */
export async function backUp(service: Service, name: string): Promise<string> {
  const made = await service.call<{ backup_id: string }>('POST', `/api/backup?description=${encodeURIComponent(name)}`);
  return made.backup_id;
}

/** Plays with a service of its own. */
export async function withService(words: string[], play: (service: Service) => Promise<void>): Promise<void> {
  const service = await start(...words);
  try {
    await play(service);
  } finally {
    await service.stop();
  }
}
