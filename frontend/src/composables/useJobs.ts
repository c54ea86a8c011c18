/** Jobs of the service: followed by events, by asking where there are none. They outlive the page. */
import { computed, shallowRef, triggerRef } from 'vue';
import { isOver } from '@/model/job';
import { api } from '@/services/api';
import { listen } from '@/services/events';
import { asProblem } from '@/services/problem';
import { shown, untilHidden } from '@/services/visibility';
import type { Job, Problem } from '@/services/types';

/** How long to wait before listening again, with something under way and without. */
const SOON = 1000;
const LATER = 3000;
/** While something is under way, ask even where events come: they may be held up on their way. */
const POLL = 5000;

const known = shallowRef(new Map<string, Job>());
const listening = shallowRef(false);
/** Why the service cannot be listened to; null while it can. */
const silence = shallowRef<Problem | null>(null);
const waiting = new Map<string, ((job: Job) => void)[]>();
const onOver = new Set<(job: Job) => void>();

const newestFirst = computed(() =>
  [...known.value.values()].sort((a, b) => b.created_at.localeCompare(a.created_at)),
);
const running = computed(() => newestFirst.value.filter((job) => !isOver(job)));

function take(job: Job): void {
  const before = known.value.get(job.job_id);
  if (before && isOver(before)) return;
  known.value.set(job.job_id, { ...before, ...job });
  triggerRef(known);
  if (!isOver(job)) return;
  waiting.get(job.job_id)?.forEach((tell) => { tell(job); });
  waiting.delete(job.job_id);
  // Jobs that were over before the page came are no news.
  if (before) onOver.forEach((tell) => { tell(job); });
}

async function poll(): Promise<void> {
  for (const job of (await api.jobs()).reverse()) take(job);
}

const pause = (time: number) => new Promise((wake) => setTimeout(wake, time));

async function pollWhileBusy(): Promise<void> {
  if (running.value.length > 0) await poll().catch(() => undefined);
}

/** Follows all jobs until the signal, while the tab is on show; never gives up. */
async function follow(signal: AbortSignal): Promise<void> {
  const timer = setInterval(pollWhileBusy, POLL);
  const open = () => {
    [listening.value, silence.value] = [true, null];
    void poll().catch(() => undefined);
  };
  let lastId = '';
  while (!signal.aborted) {
    await shown(signal);
    try {
      lastId = await listen(lastId, { job: take, open }, untilHidden(signal));
    } catch (error) {
      // A service that was away counts anew.
      [silence.value, lastId] = [asProblem(error), ''];
      await poll().catch(() => undefined);
    }
    listening.value = false;
    await pause(running.value.length > 0 ? SOON : LATER);
  }
  clearInterval(timer);
}

function over(job: Job): Promise<Job> {
  return new Promise((resolve) => {
    waiting.set(job.job_id, [...(waiting.get(job.job_id) ?? []), resolve]);
  });
}

/** The job once it is over, with its result. */
async function finished(job: Job): Promise<Job> {
  take(job);
  const seen = known.value.get(job.job_id) ?? job;
  const end = isOver(seen) ? seen : await over(job);
  // Events tell all of a job but its result.
  return end.state === 'succeeded' ? api.job(job.job_id) : end;
}

function find(id: string | null | undefined): Job | undefined {
  return id ? known.value.get(id) : undefined;
}

export function useJobs() {
  return { jobs: newestFirst, running, listening, silence, follow, finished, find, take, onOver };
}
