/** The changed networks that a search in a kept comparison finds, as a tree: what is below a node is asked for once it is
 * unfolded. The counts of a node are those of all that is within it. */
import { computed, shallowReactive, shallowRef, watch, type Ref } from 'vue';
import { api } from '@/services/api';
import { asProblem } from '@/services/problem';
import type { FoundNode, FoundQuery, Problem } from '@/services/types';

const PAGE = 200;
/** So many groups begin unfolded. */
const FEW = 6;

export interface TreeLine {
  id: string;
  depth: number;
  /** None on the line that brings the rest of what is below a node. */
  node: FoundNode | null;
  /** Of that line: the node, and how many are still to come. */
  more: { of: string; left: number } | null;
  open: boolean;
}

interface Branch {
  nodes: FoundNode[];
  total: number;
}

const ROOT = '';
export const idOf = (node: FoundNode) => (node.place === null ? `group ${node.group}` : `row ${node.place}`);

/** The lines of what is below a node, as far as it is unfolded. */
function below(id: string, depth: number, branches: ReadonlyMap<string, Branch>, open: ReadonlySet<string>): TreeLine[] {
  const branch = branches.get(id);
  if (!branch) return [];
  const lines = branch.nodes.flatMap((node) => {
    const own = idOf(node);
    const isOpen = open.has(own);
    const line: TreeLine = { id: own, depth, node, more: null, open: isOpen };
    return isOpen ? [line, ...below(own, depth + 1, branches, open)] : [line];
  });
  const left = branch.total - branch.nodes.length;
  if (left > 0) lines.push({ id: `more ${id}`, depth, node: null, more: { of: id, left }, open: false });
  return lines;
}

export function useFoundTree(comparison: Ref<string | null>, query: Ref<FoundQuery | null>) {
  const branches = shallowReactive(new Map<string, Branch>());
  const open = shallowReactive(new Set<string>());
  const places = new Map<string, FoundNode>();
  const problem = shallowRef<Problem | null>(null);
  const rows = shallowRef(0);
  const loading = shallowRef(false);
  let newest = 0;

  function at(id: string): FoundQuery {
    const node = places.get(id);
    if (!node) return {};
    return node.place === null ? { group: node.group } : { below: node.place };
  }

  async function load(id: string): Promise<void> {
    const [of, sought, own] = [comparison.value, query.value, newest];
    if (!of || !sought) return;
    const known = branches.get(id)?.nodes ?? [];
    try {
      const found = await api.foundTree(of, { ...sought, ...at(id), offset: known.length, limit: PAGE });
      if (own !== newest) return;
      for (const node of found.nodes) places.set(idOf(node), node);
      branches.set(id, { nodes: [...known, ...found.nodes], total: found.total });
      [rows.value, problem.value] = [found.rows, null];
      if (id === ROOT && found.total <= FEW) for (const node of found.nodes) void toggle(idOf(node));
    } catch (error) {
      if (own === newest) problem.value = asProblem(error);
    } finally {
      if (own === newest) loading.value = false;
    }
  }

  async function toggle(id: string): Promise<void> {
    if (open.delete(id)) return;
    open.add(id);
    if (!branches.has(id)) await load(id);
  }

  function restart(): void {
    newest += 1;
    branches.clear();
    open.clear();
    places.clear();
    rows.value = 0;
    loading.value = comparison.value !== null && query.value !== null;
    void load(ROOT);
  }
  watch([comparison, query], restart, { immediate: true });

  const lines = computed(() => below(ROOT, 0, branches, open));

  return { lines, rows, problem, loading, toggle, load, restart };
}
