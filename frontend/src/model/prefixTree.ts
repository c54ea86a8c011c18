/** Changed networks as a tree: by group (VRF), then network within network. */
import type { NetworkTree, RowChange } from '@/services/types';
import { contains, network, order, type Network } from './cidr';

export interface TreeNode {
  id: string;
  label: string;
  /** The changed row; a VRF or a network in between has none. */
  change: RowChange | null;
  children: TreeNode[];
  added: number;
  changed: number;
  removed: number;
}

interface Placed {
  node: TreeNode;
  network: Network;
}

export interface VisibleNode {
  node: TreeNode;
  depth: number;
  open: boolean;
  position: number;
  siblings: number;
}

function cell(change: RowChange, column: string): string | null {
  const found = change.cells.find((cell) => cell.column === column);
  return found ? (found.new ?? found.old) : null;
}

/** `manual-prod-vrf-10-1-0-0-16` and `<uuid>-subnet-10.101.1.0-24` end with their network. */
function networkInKey(key: string): string | null {
  const dotted = /(\d+\.\d+\.\d+\.\d+)-(\d+)$/.exec(key);
  if (dotted) return `${dotted[1]}/${dotted[2]}`;
  const dashed = /-(\d+)-(\d+)-(\d+)-(\d+)-(\d+)$/.exec(key);
  return dashed ? `${dashed.slice(1, 5).join('.')}/${dashed[5]}` : null;
}

function vrfInKey(key: string): string | null {
  const manual = /^manual-(.+?)-\d+-\d+-\d+-\d+-\d+$/.exec(key);
  return manual?.[1] ?? (key.includes('-subnet-') ? 'VPC subnets' : null);
}

/** The network that a changed row is about. A row that changed without that column tells it by its key. */
export function cidrOf(change: RowChange, tree: NetworkTree): string | null {
  return cell(change, tree.network) ?? networkInKey(change.key);
}

export function groupOf(change: RowChange, tree: NetworkTree): string {
  return cell(change, tree.group) ?? vrfInKey(change.key) ?? 'Other networks';
}

function blank(id: string, label: string, change: RowChange | null): TreeNode {
  return { id, label, change, children: [], added: 0, changed: 0, removed: 0 };
}

function nest(placed: Placed[], root: TreeNode): void {
  placed.sort((a, b) => order(a.network, b.network));
  const open: Placed[] = [];
  for (const next of placed) {
    let above = open.at(-1);
    while (above && !contains(above.network, next.network)) {
      open.pop();
      above = open.at(-1);
    }
    (above?.node ?? root).children.push(next.node);
    open.push(next);
  }
}

function sum(node: TreeNode): void {
  if (node.change) node[node.change.kind] += 1;
  for (const child of node.children) {
    sum(child);
    node.added += child.added;
    node.changed += child.changed;
    node.removed += child.removed;
  }
}

/** One node for each group (VRF) with changed networks, in the order of their names. */
export function prefixTree(changes: RowChange[], tree: NetworkTree): TreeNode[] {
  const roots = new Map<string, { root: TreeNode; placed: Placed[] }>();
  for (const change of changes) {
    if (change.table !== tree.table) continue;
    const cidr = cidrOf(change, tree);
    const parsed = cidr === null ? null : network(cidr);
    const group = groupOf(change, tree);
    const entry = roots.get(group) ?? { root: blank(`group ${group}`, group, null), placed: [] };
    roots.set(group, entry);
    const node = blank(`row ${change.key}`, cidr ?? change.key, change);
    if (parsed) entry.placed.push({ node, network: parsed });
    else entry.root.children.push(node);
  }
  const sorted = [...roots.values()].sort((a, b) => a.root.label.localeCompare(b.root.label));
  return sorted.map(({ root, placed }) => {
    nest(placed, root);
    sum(root);
    return root;
  });
}

/** The nodes that are on show when these are closed, in order. */
export function visible(nodes: TreeNode[], closed: ReadonlySet<string>, depth = 0): VisibleNode[] {
  return nodes.flatMap((node, place) => {
    const open = !closed.has(node.id);
    const own = { node, depth, open, position: place + 1, siblings: nodes.length };
    return open ? [own, ...visible(node.children, closed, depth + 1)] : [own];
  });
}
