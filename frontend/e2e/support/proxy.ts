/** Real proxies with the configuration that the documentation shows, where only names, ports and files are those of a test. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './service';

const DOCS = new URL('../../../docs/', import.meta.url).pathname;

export interface Proxy {
  port: number;
  stop: () => Promise<void>;
}

/** The block of a page that opens with these words. */
function block(page: string, opening: string): string {
  const text = readFileSync(join(DOCS, page), 'utf8').split(`\`\`\`${opening}\n`)[1]?.split('```')[0];
  if (!text) throw new Error(`${page} has no block ${opening}`);
  return text;
}

/** Each of these must be there. */
function replace(text: string, pairs: [string, string][]): string {
  return pairs.reduce((whole, [from, to]) => {
    if (!whole.includes(from)) throw new Error(`the documentation has no ${from}`);
    return whole.replaceAll(from, to);
  }, text);
}

async function run(command: string, words: string[], folder: string, port: number): Promise<Proxy> {
  const child: ChildProcess = spawn(command, words, { cwd: folder, env: { ...process.env, HOME: folder }, stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  child.stderr?.on('data', (data: Buffer) => lines.push(data.toString()));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (let tries = 0; !(await fetch(`http://127.0.0.1:${port}/`).catch(() => null)); tries += 1) {
    if (child.exitCode !== null || tries > 200) throw new Error(`${command} does not answer:\n${lines.join('')}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
  return {
    port,
    async stop() {
      // In order, it would wait for streams of events to end.
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** nginx with a block of docs/nginx.md; `more` are further changes of it. */
export async function nginx(name: string, service: string, more: [string, string][] = []): Promise<Proxy> {
  const folder = mkdtempSync('/tmp/nginx-');
  const port = await freePort();
  const tls = /^ +ssl_certificate.*\n/gm;
  const server = replace(block('nginx.md', `nginx ${name}`).replace(tls, ''), [
    ['listen 443 ssl', `listen 127.0.0.1:${port}`],
    ['http://127.0.0.1:8000', service],
    ...more,
  ]);
  const password = execFileSync('openssl', ['passwd', '-apr1', 'secret']).toString().trim();
  writeFileSync(join(folder, 'htpasswd'), `alice:${password}\n`);
  return serveWith(server.replaceAll('/etc/nginx/ipam-rewind.htpasswd', join(folder, 'htpasswd')), folder, port);
}

function serveWith(server: string, folder: string, port: number): Promise<Proxy> {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${folder}/${what};`);
  writeFileSync(join(folder, 'nginx.conf'), `user root; daemon off; master_process off; pid ${folder}/pid; error_log stderr; events {}
    http { access_log off; ${places.join(' ')} ${server} }`);
  return run('/usr/sbin/nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], folder, port);
}

/** nginx in front of the service and an application, with the block of docs/integrate.md for two ports. */
export async function between(service: string, application: string, token: string): Promise<Proxy> {
  const folder = mkdtempSync('/tmp/nginx-');
  const port = await freePort();
  const secret = join(folder, 'token.conf');
  writeFileSync(secret, `proxy_set_header Authorization "Bearer ${token}";\n`);
  const server = replace(block('integrate.md', 'nginx ports'), [
    ['listen 8000', `listen 127.0.0.1:${port}`],
    ['http://ipam-rewind:8000', service],
    ['http://ipam-app:8000', application],
    ['/etc/nginx/ipam-rewind-token.conf', secret],
  ]);
  return serveWith(server, folder, port);
}

/** Caddy with a block of docs/caddy.md. */
export async function caddy(name: string, service: string): Promise<Proxy> {
  const folder = mkdtempSync('/tmp/caddy-');
  const port = await freePort();
  const hash = execFileSync('caddy', ['hash-password', '--plaintext', 'secret'], { env: { ...process.env, HOME: folder } }).toString().trim();
  const site = replace(block('caddy.md', `caddyfile ${name}`), [['backup.example {', `http://:${port} {\n bind 127.0.0.1`], ['127.0.0.1:8000', service.replace('http://', '')]]);
  writeFileSync(join(folder, 'Caddyfile'), `{\n admin off\n auto_https off\n}\n${site.replace('HASH', hash)}`);
  return run('caddy', ['run', '--adapter', 'caddyfile', '--config', 'Caddyfile'], folder, port);
}
