//! The worked example of `store-format.md`, made by the code that writes stores: a test holds the
//! page to it. `BLESS_FORMAT=1 cargo test --lib example` writes the page's example anew.

use std::fmt::Write as _;
use std::path::Path;

use crate::model::{ChunkId, KeyKind};
use crate::store::format::encode::{Encoded, Encoder};
use crate::store::format::index_file;
use crate::store::format::index_file::PackEntries;
use crate::store::format::pack::PackBuilder;
use crate::tree::split::Splitter;
use crate::tree::{ChunkPosition, ChunkSink, Layout, TreeBuilder};

const BEGIN: &str = "<!-- example: begin -->\n";
const END: &str = "<!-- example: end -->\n";

/// Keeps the chunks of a tree as they come.
#[derive(Default)]
struct Kept(Vec<(u8, Encoded, Vec<u8>)>);

impl ChunkSink for Kept {
    type Error = std::convert::Infallible;

    fn put(
        &mut self,
        place: &ChunkPosition<'_>,
        id: ChunkId,
        bytes: Vec<u8>,
    ) -> Result<(), Self::Error> {
        let encoded = Encoder::default().encode(id, &bytes, None).expect("small");
        self.0.push((place.level, encoded, bytes));
        Ok(())
    }
}

/// 16 bytes a line: offset, hexadecimal digits, characters.
fn dump(bytes: &[u8], from: usize) -> String {
    let mut out = String::new();
    for (line, bytes) in bytes.chunks(16).enumerate() {
        let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown =
            bytes.iter().map(|&byte| if byte.is_ascii_graphic() { byte as char } else { '.' });
        let (offset, digits) = (from + line * 16, digits.join(" "));
        writeln!(out, "{offset:04x}  {digits:<47}  {}", shown.collect::<String>()).expect("text");
    }
    out
}

fn block(title: &str, bytes: &[u8], from: usize) -> String {
    format!("{title}\n\n```text\n{}```\n\n", dump(bytes, from))
}

fn example() -> String {
    let rows: [&[u8]; 2] = [b"7\tlab\track\\t1", b"8\tlab\t\\N"];
    let layout = Layout::new(3, vec![KeyKind::Integer, KeyKind::Text], vec![vec![0, 1, 2]]);
    let mut kept = Kept::default();
    let mut builder = TreeBuilder::new(&layout, Splitter::default());
    for row in rows {
        builder.push(row, &mut kept).expect("good rows");
    }
    let root = builder.finish(&mut kept).expect("a tree");
    let mut pack = PackBuilder::with_capacity(0);
    for (_, chunk, _) in &kept.0 {
        pack.push(chunk);
    }
    let pack = pack.finish_with(*b"sixteen random b");
    let mut out = String::new();
    for row in rows {
        let key = layout.key_of(row).expect("a key");
        out += &block(&format!("The key of the row `{}`:", row.escape_ascii()), &key, 0);
    }
    for (level, chunk, bytes) in &kept.0 {
        let what = if *level == 0 { "leaf" } else { "node, the root," };
        out += &block(&format!("The {what} is chunk `{}`:", chunk.id), bytes, 0);
    }
    assert_eq!(kept.0.last().map(|(_, chunk, _)| chunk.id), Some(root.id));
    let frames =
        pack.entries.last().map_or(8, |entry| usize::try_from(entry.end()).expect("small"));
    out += &block("The pack begins with its magic and the frames:", &pack.bytes[..frames], 0);
    out += &block("and ends with its footer:", &pack.bytes[frames..], frames);
    out += &format!("Its name is `packs/{}/{}.pack`.\n", &pack.id.to_string()[..2], pack.id);
    let size = pack.bytes.len() as u64;
    let entries = PackEntries { pack: pack.id, size, entries: pack.entries.into() };
    let (index, bytes) = index_file::encode(&[entries]);
    out += &format!(
        "An index object over it has {} bytes and the name\n`index/{index}.idx`.\n",
        bytes.len()
    );
    out
}

#[test]
fn format_page_shows_the_bytes_that_the_program_writes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("store-format.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("where the example begins");
    let (shown, after) = rest.split_once(END).expect("where the example ends");
    let example = example();
    if std::env::var_os("BLESS_FORMAT").is_some() {
        std::fs::write(&path, [before, BEGIN, &example, END, after].concat()).expect("written");
    } else {
        assert_eq!(shown, example, "the page's example is not what the program writes");
    }
}
