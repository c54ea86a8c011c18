/** The service's stream of events. Knows nothing of a page, so that a worker can read it for all tabs. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { problemOf, ServiceError } from './problem';
import type { Job, Problem } from './types';

/** Where the stream is, and with which token. */
export interface Source {
  url: string;
  headers: Record<string, string>;
}

export type News =
  /** The stream is open: whatever was missed before has been or will be told. */
  | { kind: 'open' }
  /** A job has news; the id is that of the event. */
  | { kind: 'job'; id: string; job: Job }
  /** The stream is over. */
  | { kind: 'end' }
  /** There is no stream. */
  | { kind: 'failed'; problem: Problem };

/** The service says every five seconds that it is there; a stream that is silent for longer is gone. */
const SILENT = 12_000;

/** Passes on what comes, and fails once nothing does. */
function watched(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let timer: ReturnType<typeof setTimeout>;
  const wind = (controller: TransformStreamDefaultController) => {
    clearTimeout(timer);
    timer = setTimeout(() => { controller.error(new TypeError('the stream is silent')); }, SILENT);
  };
  return new TransformStream({
    start: wind,
    transform(chunk, controller) {
      wind(controller);
      controller.enqueue(chunk);
    },
    flush() { clearTimeout(timer); },
  });
}

/** Reads the stream until it ends or the signal says so. */
export async function read(source: Source, lastId: string, tell: (news: News) => void, signal: AbortSignal): Promise<void> {
  const headers: Record<string, string> = { ...source.headers, Accept: 'text/event-stream' };
  if (lastId) headers['Last-Event-ID'] = lastId;
  const response = await fetch(source.url, { headers, signal });
  if (!response.ok) throw new ServiceError(await problemOf(response));
  if (!response.body) return;
  tell({ kind: 'open' });
  const events = response.body.pipeThrough(watched()).pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = events.getReader();
  let id = lastId;
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true as const, value: undefined }));
    if (done) return;
    id = value.id ?? id;
    if (value.event === undefined || value.event === 'job') tell({ kind: 'job', id, job: JSON.parse(value.data) as Job });
  }
}
