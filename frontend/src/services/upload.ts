/** A file sent to the service. Not by `fetch`: that does not tell how much of it has gone. */
import { accepted } from './http';
import { at } from './place';
import { authorization } from './token';

/** Tells meanwhile how many bytes were sent. */
export async function upload(path: string, body: Blob, headers: Record<string, string>, tell: (sent: number) => void): Promise<Response> {
  const response = await new Promise<Response>((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', at(path));
    for (const [name, value] of Object.entries({ ...authorization(), ...headers })) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => { tell(loaded); };
    request.onload = () => { resolve(new Response(request.responseText, { status: request.status, statusText: request.statusText })); };
    request.onerror = () => { reject(new TypeError('the connection was lost')); };
    request.send(body);
  });
  return accepted(response);
}
