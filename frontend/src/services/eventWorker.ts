/** The worker that all tabs of a browser share. */
import { Sharing, type Request } from './sharing';

const sharing = new Sharing();

addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0];
  if (port) port.onmessage = ({ data }: MessageEvent<Request>) => { sharing.take(port, data); };
});
