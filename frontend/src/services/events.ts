/** Events of all jobs, over a stream that can carry a token; goes on where it was cut off. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { send } from './http';
import type { Job } from './types';

export interface Listener {
  /** A job has news. */
  job: (job: Job) => void;
  /** The stream is open: whatever was missed before has been or will be told. */
  open: () => void;
}

/** Listens until the stream ends or the signal says so; resolves to the last event's id. */
export async function listen(lastId: string, listener: Listener, signal: AbortSignal): Promise<string> {
  const headers: Record<string, string> = { Accept: 'text/event-stream' };
  if (lastId) headers['Last-Event-ID'] = lastId;
  const response = await send('/api/events', { headers, signal });
  if (!response.body) return lastId;
  listener.open();
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = events.getReader();
  let last = lastId;
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true as const, value: undefined }));
    if (done) return last;
    last = value.id ?? last;
    if (value.event === undefined || value.event === 'job') listener.job(JSON.parse(value.data) as Job);
  }
}
