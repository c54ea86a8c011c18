/** Why a call failed, as RFC 9457 has it, whatever it was that failed. */
import type { Problem } from './types';

export class ServiceError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'ServiceError';
    this.problem = problem;
  }
}

const SILENT: Problem = {
  title: 'No answer',
  status: 0,
  detail: 'The service does not answer. It may be restarting, or the network is down.',
  code: 'no_answer',
};

/** A part of the page that was not loaded before the service went. */
export const NOT_FETCHED: Problem = {
  title: 'This part of the page could not be loaded',
  status: 0,
  detail: 'The service does not answer. What is on show below is what was there before.',
  code: 'not_fetched',
};

export async function problemOf(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => null)) as Partial<Problem> | null;
  return {
    title: response.statusText || 'It failed',
    status: response.status,
    detail: `The service answered with status ${response.status}.`,
    code: 'failed',
    ...(body?.detail ? body : {}),
  };
}

/** Any failure as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof ServiceError) return error.problem;
  if (error instanceof TypeError) return SILENT;
  const detail = error instanceof Error ? error.message : String(error);
  return { title: 'It failed', status: 0, detail, code: 'failed' };
}
