/** Events of all jobs: from the one stream that the tabs of a browser share, where it can share. */
import { ServiceError } from './problem';
import { at } from './place';
import { read, type News, type Source } from './stream';
import { authorization, askIfUnknown } from './token';
import type { Job } from './types';

export interface Listener {
  /** A job has news. */
  job: (job: Job) => void;
  /** The stream is open: whatever was missed before has been or will be told. */
  open: () => void;
}

/** The way to the worker; null where there is none, or it does not start. */
let port: MessagePort | null | undefined;

function worker(): MessagePort | null {
  if (port !== undefined) return port;
  if (typeof SharedWorker === 'undefined') return (port = null);
  const shared = new SharedWorker(new URL('./eventWorker.ts', import.meta.url), { type: 'module', name: 'ipam-rewind events' });
  port = shared.port;
  shared.onerror = () => {
    port?.dispatchEvent(new MessageEvent('message', { data: { kind: 'end' } satisfies News }));
    port = null;
  };
  port.start();
  return port;
}

function readShared(by: MessagePort, source: Source, lastId: string, tell: (news: News) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (done: () => void) => {
      by.removeEventListener('message', hear);
      signal.removeEventListener('abort', leave);
      done();
    };
    const leave = () => {
      by.postMessage({ leave: true });
      end(resolve);
    };
    const hear = ({ data }: MessageEvent<News>) => {
      if (data.kind === 'end') end(resolve);
      else if (data.kind === 'failed') end(() => { reject(new ServiceError(data.problem)); });
      else tell(data);
    };
    by.addEventListener('message', hear);
    signal.addEventListener('abort', leave);
    by.postMessage({ join: source, lastId });
  });
}

/** Listens until the stream ends or the signal says so; resolves to the last event's id. */
export async function listen(lastId: string, listener: Listener, signal: AbortSignal): Promise<string> {
  if (signal.aborted) return lastId;
  const source = { url: new URL(at('/api/events'), globalThis.location.origin).href, headers: authorization() };
  let last = lastId;
  const tell = (news: News) => {
    if (news.kind === 'open') listener.open();
    if (news.kind !== 'job') return;
    last = news.id;
    listener.job(news.job);
  };
  const by = worker();
  try {
    await (by ? readShared(by, source, lastId, tell, signal) : read(source, lastId, tell, signal));
  } catch (error) {
    askIfUnknown(error);
    throw error;
  }
  return last;
}
