/** A proxy that counts the streams of events that are open, and passes everything on. */
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Counter {
  base: string;
  /** Streams that are open now, and all that ever were. */
  streams: () => { open: number; all: number };
  stop: () => void;
}

export async function counter(service: string): Promise<Counter> {
  const { hostname, port } = new URL(service);
  let [open, all] = [0, 0];
  const server = createServer((asked, answer) => {
    const passed = request({ hostname, port, path: asked.url, method: asked.method, headers: asked.headers, agent: false }, (told) => {
      answer.writeHead(told.statusCode ?? 502, told.headers);
      told.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    if (asked.url === '/api/events') {
      [open, all] = [open + 1, all + 1];
      answer.on('close', () => { open -= 1; });
    }
    asked.pipe(passed);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    streams: () => ({ open, all }),
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
