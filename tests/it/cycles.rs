//! No file imports another one that imports it, however far around. What a module says of its own children
//! (it re-exports them) does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::store::samples::files;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// The path of a file's module: `store::lock` for `src/store/lock/mod.rs`.
fn module(path: &Path) -> String {
    let path = path.strip_prefix(Path::new(PROJECT).join("src")).expect("below src");
    let path = path.with_extension("");
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    let names = names.strip_suffix(&["mod".into()][..]).unwrap_or(&names);
    names.join("::")
}

/// The paths that a `use` statement names, its braces taken apart.
fn leaves(tree: &str, before: &str, found: &mut Vec<String>) {
    let (mut depth, mut begin) = (0, 0);
    let mut parts = Vec::new();
    for (place, letter) in tree.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[begin..place]);
                begin = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[begin..]);
    for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            Some((head, rest)) => {
                let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
                leaves(inner, &format!("{before}{head}"), found);
            }
            None => found.push(format!("{before}{part}")),
        }
    }
}

/// The path from the root of the crate on; none for other crates and for children.
fn absolute(path: &str, module: &str) -> Option<String> {
    if let Some(path) = path.strip_prefix("crate::") {
        return Some(path.to_owned());
    }
    let mut names: Vec<_> = module.split("::").collect();
    let mut rest = path;
    while let Some(above) = rest.strip_prefix("super::") {
        names.pop();
        rest = above;
    }
    (rest != path).then(|| [&names[..], &[rest]].concat().join("::"))
}

/// What each module imports of others.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let paths = files(PROJECT.as_ref(), "src");
    let modules: BTreeSet<_> = paths.iter().map(|path| module(path)).collect();
    let known = |path: String| {
        let ends = path.match_indices("::").map(|(end, _)| end).chain([path.len()]);
        ends.map(|end| path[..end].to_owned()).filter(|path| modules.contains(path)).last()
    };
    let of = |path: &std::path::PathBuf| {
        let (own, text) = (module(path), fs::read_to_string(path).expect("source text"));
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let mut found = Vec::new();
        for statement in text.split(';') {
            let begins = ["\nuse ", "\npub use "].map(|word| Some((statement.rfind(word)?, word)));
            if let Some((place, word)) = begins.into_iter().flatten().max() {
                leaves(&statement[place + word.len()..], "", &mut found);
            }
        }
        let found = found.iter().filter_map(|path| known(absolute(path, &own)?));
        let others: BTreeSet<_> = found
            .filter(|other| *other != own && !other.starts_with(&format!("{own}::")))
            .collect();
        (own, others)
    };
    paths.iter().filter(|path| path.extension().is_some_and(|it| it == "rs")).map(of).collect()
}

#[test]
fn no_module_imports_itself_by_way_of_others() {
    let mut open = imports();
    assert!(open.values().map(BTreeSet::len).sum::<usize>() > 500, "the imports are seen");
    // What imports nothing that is still there is in no circle.
    loop {
        let left: BTreeSet<_> = open.keys().cloned().collect();
        open.retain(|_, imports| imports.iter().any(|import| left.contains(import)));
        if open.len() == left.len() {
            break;
        }
    }
    // Nor is what nothing imports that is still there.
    loop {
        let imported: BTreeSet<_> = open.values().flatten().cloned().collect();
        let before = open.len();
        open.retain(|module, _| imported.contains(module));
        if open.len() == before {
            break;
        }
    }
    assert!(open.is_empty(), "in circles: {:?}", open.keys());
}
