/** The page's addresses. Each state that one comes back to has one. */
import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router';
import { shallowRef } from 'vue';
import { BASE } from './services/place';
import TimelinePage from './pages/TimelinePage.vue';

const TITLE = 'Backup & Restore';

/** What makes a page another one: a backup's details belong to the timeline, each restore is a page of its own. */
export function pageKey({ name, path }: Pick<RouteLocationNormalized, 'name' | 'path'>): string {
  if (name === 'restore') return path;
  return name === 'backup' ? 'timeline' : String(name);
}

export const router = createRouter({
  history: createWebHistory(`${BASE}/`),
  routes: [
    { path: '/', name: 'timeline', component: TimelinePage, meta: { title: 'Timeline' } },
    { path: '/backups/:id', name: 'backup', component: TimelinePage, props: true, meta: { title: 'Backup' } },
    { path: '/restore/:id', name: 'restore', component: () => import('./pages/RestorePage.vue'), props: true, meta: { title: 'Restore' } },
    { path: '/compare/:from?/:to?', name: 'compare', component: () => import('./pages/ComparePage.vue'), props: true, meta: { title: 'Compare' } },
    { path: '/history', name: 'history', component: () => import('./pages/HistoryPage.vue'), props: ({ query }) => ({ table: query.table, rowKey: query.key }), meta: { title: 'History of a row' } },
    { path: '/cleanup', name: 'cleanup', component: () => import('./pages/CleanupPage.vue'), meta: { title: 'Clean up' } },
    { path: '/statistics', name: 'statistics', component: () => import('./pages/StatisticsPage.vue'), meta: { title: 'Statistics' } },
    { path: '/activity', name: 'activity', component: () => import('./pages/ActivityPage.vue'), meta: { title: 'Activity' } },
    { path: '/:path(.*)*', name: 'nowhere', component: () => import('./pages/NowherePage.vue'), meta: { title: 'Not found' } },
  ],
  scrollBehavior(to, from, saved) {
    // Opening a backup's details leaves the timeline where it is.
    const inPlace = ['timeline', 'backup'];
    if (inPlace.includes(String(to.name)) && inPlace.includes(String(from.name))) return false;
    return saved ?? { top: 0 };
  },
});

/** Where somebody wanted to go when the page's part for it could not be fetched. */
export const unreached = shallowRef<string | null>(null);
router.onError((_, to) => {
  unreached.value = to.fullPath;
});

router.afterEach((to) => {
  unreached.value = null;
  document.title = `${String(to.meta.title)} · ${TITLE} · ipam-rewind`;
});
