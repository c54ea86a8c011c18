#!/usr/bin/env python3
"""Reads a store in a folder, written from store-format.md alone.

    reader.py STORE list             the backups
    reader.py STORE verify           every chunk that a backup needs: hash, rows, bytes
    reader.py STORE rows ID TABLE    the rows of a table as COPY text, in key order by part
    reader.py STORE sql ID           a script for psql that puts all rows of a backup back
"""
import hashlib
import json
import pathlib
import re
import struct
import sys

import zstandard

HEADER = struct.Struct("<32sBII")
ENTRY = struct.Struct("<32sQIIBB32s")
MAX_CHUNK, MAX_DEPTH = 2 << 30, 8


def sha(data):
    return hashlib.sha256(data).digest()


def need(right, what):
    if not right:
        raise SystemExit(f"damaged: {what}")


class Store:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        parameters = json.loads((self.folder / "store.json").read_text())
        need(parameters["format"] == 1 and not parameters["required_features"], "store.json")
        self.frames = {}
        for path in sorted(self.folder.glob("packs/??/*.pack")):
            for entry in self.footer(path):
                known = self.frames.get(entry[0])
                if known is None or entry[5] < known[1][5]:
                    self.frames[entry[0]] = (path, entry)

    def footer(self, path):
        pack = path.read_bytes()
        need(sha(pack).hex() == path.stem, f"{path}: another hash")
        need(pack[:8] == b"IPRWPK01" and pack[-8:] == b"IPRWEND1", path)
        (count,) = struct.unpack("<I", pack[-44:-40])
        start = len(pack) - 44 - count * ENTRY.size
        need(start >= 8 and sha(pack[start:-40]) == pack[-40:-8], f"{path}: its footer")
        return list(ENTRY.iter_unpack(pack[start:-44]))

    def chunk(self, chunk_id, above=0):
        need(chunk_id in self.frames and above <= MAX_DEPTH, f"chunk {chunk_id.hex()} is missing")
        path, (_, offset, raw_length, stored, codec, _, base_id) = self.frames[chunk_id]
        need(raw_length <= MAX_CHUNK, f"chunk {chunk_id.hex()}: its length")
        with path.open("rb") as pack:
            pack.seek(offset)
            header, data = HEADER.unpack(pack.read(HEADER.size)), pack.read(stored)
        need(header == (chunk_id, codec, raw_length, stored)
             and base_id == (data[:32] if codec == 2 else bytes(32)),
             f"chunk {chunk_id.hex()}: its header and the table disagree")
        if codec == 2:
            base = zstandard.ZstdCompressionDict(
                self.chunk(data[:32], above + 1), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            data = zstandard.ZstdDecompressor(dict_data=base).decompress(data[32:], raw_length)
        elif codec == 1:
            data = zstandard.ZstdDecompressor().decompress(data, raw_length)
        need(sha(data) == chunk_id, f"chunk {chunk_id.hex()}: its hash")
        return data

    def manifests(self):
        for path in sorted(self.folder.glob("*/manifest.json")):
            if re.fullmatch(r"\d{8}_\d{6}", path.parent.name):
                text = path.read_bytes()
                at = text.rindex(b'"checksum": "') + 13
                zeroed = text[:at] + b"0" * 64 + text[at + 64:]
                need(sha(zeroed).hex().encode() == text[at:at + 64], path)
                yield json.loads(text)

    def leaves(self, node_id, counted):
        """For each leaf below a node its chunks; checks that the node counts what it should."""
        node = self.chunk(node_id)
        need(node[:1] == b"N", f"node {node_id.hex()}")
        level, at = node[1], 2
        entries, at = varint(node, at)
        groups, at = varint(node, at)
        for _ in range(entries):
            length, at = varint(node, at)
            at += length
        ids = [node[at + n * 32:at + n * 32 + 32] for n in range(entries * groups)]
        at += 32 * entries * groups
        counts = []
        for _ in range(2 * entries):
            count, at = varint(node, at)
            counts.append(count)
        sums = sum(counts[:entries]), sum(counts[entries:])
        need(at == len(node) and sums == counted, f"node {node_id.hex()}: its sums")
        for n in range(entries):
            below = counts[n], counts[entries + n]
            if level == 1:
                yield ids[n::entries], below
            else:
                yield from self.leaves(ids[n], below)

    def rows(self, manifest, part):
        """The rows of a tree as lines of COPY text; checks that each leaf holds what it should."""
        (table,) = [t for t in manifest["schema"]["tables"] if t["name"] == part["table"]]
        for chunks, counted in self.leaves(bytes.fromhex(part["root"]), (part["rows"], part["bytes"])):
            columns = {}
            for group, chunk_id in zip(table["groups"], chunks, strict=True):
                leaf = self.chunk(chunk_id)
                rows, at = varint(leaf, 1)
                width, at = varint(leaf, at)
                fields = leaf[at:].split(b"\n")[:-1]
                need(leaf[:1] == b"L" and len(fields) == rows * width and width == len(group), "a leaf")
                for n, column in enumerate(group):
                    columns[column] = fields[n * rows:(n + 1) * rows]
            lines = [b"\t".join(row) + b"\n" for row in zip(*(columns[n] for n in sorted(columns)), strict=True)]
            need((len(lines), sum(map(len, lines))) == counted, "a leaf's rows or bytes")
            yield from lines


    def sql(self, manifest, out):
        tables = manifest["schema"]["tables"]
        parts = {table["name"]: [p for p in manifest["parts"] if p["table"] == table["name"]] for table in tables}
        out.write(SETTINGS)
        for table in reversed(tables):
            for trigger in table["triggers"]:
                out.write(b"ALTER TABLE %s DISABLE TRIGGER %s;\n" % (name(table["name"]), name(trigger["name"])))
            out.write(b"DELETE FROM %s;\n" % name(table["name"]))
        for table in tables:
            columns = b", ".join(name(column["name"]) for column in table["columns"])
            out.write(b"COPY %s (%s) FROM stdin;\n" % (name(table["name"]), columns))
            for part in parts[table["name"]]:
                out.writelines(self.rows(manifest, part))
            out.write(b"\\.\n")
        for sequence in manifest["sequences"]:
            literal = name(sequence["name"]).replace(b"'", b"''")
            out.write(b"SELECT setval('%s', %d, false);\n" % (literal, sequence["next"]))
        for table in tables:
            for trigger in table["triggers"]:
                enable = ENABLE.get(trigger["enabled"])
                if enable:
                    out.write(b"ALTER TABLE %s %s TRIGGER %s;\n"
                              % (name(table["name"]), enable, name(trigger["name"])))


SETTINGS = b"SET client_encoding = 'UTF8';\nSET datestyle = 'ISO, YMD';\nSET intervalstyle = 'postgres';\nSET timezone = 'UTC';\n"
ENABLE = {"O": b"ENABLE", "R": b"ENABLE REPLICA", "A": b"ENABLE ALWAYS"}


def name(identifier):
    return b'"%s"' % identifier.replace('"', '""').encode()


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def main(folder, verb, *rest):
    store = Store(folder)
    if verb == "sql":
        (manifest,) = [manifest for manifest in store.manifests() if manifest["backup_id"] == rest[0]]
        return store.sql(manifest, sys.stdout.buffer)
    for manifest in store.manifests():
        backup = manifest["backup_id"]
        if verb == "list":
            print(backup, *(f"{part['name']}={part['rows']}" for part in manifest["parts"]))
        for part in manifest["parts"]:
            if verb == "verify":
                print(backup, part["name"], sum(1 for _ in store.rows(manifest, part)), "rows right")
            elif verb == "rows" and (backup, part["table"]) == rest:
                sys.stdout.buffer.writelines(store.rows(manifest, part))


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in ("list", "verify", "rows", "sql"):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
