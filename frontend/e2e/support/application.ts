/** A stand-in for an application whose page is on one port and whose API is on another, as its users have them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Application {
  /** Where its API is. */
  api: string;
  /** Serves its page on this port; its API is on the other port of the same host. */
  page: (port: number, apiPort: number) => Promise<void>;
  stop: () => void;
}

/** The page calls the five documented calls and shows what they say by the documented names. */
function html(apiPort: number): string {
  return `<!doctype html><title>IPAM</title><link rel="icon" href="data:,"><h1>Backup &amp; Restore</h1>
<input aria-label="Description"><button id="create">Create Backup</button><p role="status"></p><ul></ul><pre></pre>
<script type="module">
  const api = location.protocol + '//' + location.hostname + ':${apiPort}';
  const at = (what) => document.querySelector(what);
  const say = (words) => { at('[role=status]').textContent = words; };
  async function call(method, path) {
    const answer = await fetch(api + path, { method, headers: { 'Content-Type': 'application/json' } });
    const body = await answer.json();
    if (!answer.ok) throw new Error(answer.status + ' ' + (body.detail ?? ''));
    return body;
  }
  async function list() {
    const { backups, count } = await call('GET', '/api/backups');
    at('h1').textContent = 'Backup & Restore (' + count + ')';
    at('ul').replaceChildren(...backups.map((backup) => {
      const line = document.createElement('li');
      line.textContent = [backup.backup_id, backup.description, backup.created_by, backup.backup_type, backup.status, backup.age_days].join(' | ');
      for (const [name, method, path] of [['Details', 'GET', '/api/backup/'], ['Restore', 'POST', '/api/restore/'], ['Delete', 'DELETE', '/api/backup/']]) {
        const button = document.createElement('button');
        button.textContent = name;
        button.onclick = () => act(name, method, path + backup.backup_id);
        line.append(button);
      }
      return line;
    }));
  }
  async function act(name, method, path) {
    try {
      const body = await call(method, path);
      const info = body.backup_info;
      if (name === 'Details') at('pre').textContent = info.files_info.map((file) => file.name + ' ' + file.size).join('\\n') + '\\ntotal ' + info.total_size + ', ' + info.age_days + ' days';
      say(name + ': ' + body.status + (body.message ? ': ' + body.message : ''));
    } catch (error) { say('Error: ' + error.message); }
    await list().catch((error) => say('Error: ' + error.message));
  }
  at('#create').onclick = () => act('Create', 'POST', '/api/backup?description=' + encodeURIComponent(at('input').value));
  fetch(api + '/api/prefixes').then((answer) => answer.json()).then(({ total }) => { document.title = 'IPAM, ' + total + ' prefixes'; });
  list().catch((error) => say('Error: ' + error.message));
</script>`;
}

const listen = (server: Server, port: number) => new Promise<number>((resolve) => {
  server.listen(port, '127.0.0.1', () => { resolve((server.address() as AddressInfo).port); });
});

export async function application(): Promise<Application> {
  const servers: Server[] = [];
  const serve = (port: number, type: string, text: string) => {
    const server = createServer((_, response) => {
      // As it has always done: any page may use its API.
      response.writeHead(200, { 'Content-Type': type, 'Access-Control-Allow-Origin': '*' }).end(text);
    });
    servers.push(server);
    return listen(server, port);
  };
  const api = `http://127.0.0.1:${await serve(0, 'application/json', '{"total":42}')}`;
  return {
    api,
    async page(port, apiPort) { await serve(port, 'text/html', html(apiPort)); },
    stop: () => { servers.forEach((server) => server.close()); },
  };
}
