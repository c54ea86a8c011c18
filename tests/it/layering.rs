//! Imports point one way: each module may use those that stand before it in the data flow.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::store::samples::files;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// Each module, and the modules that it may import.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("threads", &[]),
    ("tls", &[]),
    ("model", &[]),
    ("tree", &["model"]),
    ("store", &["threads", "tls", "model", "tree"]),
    ("postgres", &["model", "tree"]),
    ("embedded", &[]),
    ("engine", &["threads", "model", "tree", "store", "postgres"]),
    ("service", &["threads", "tls", "model", "store", "engine"]),
    ("api", &["threads", "model", "store", "engine", "service"]),
    ("cli", &["threads", "tls", "model", "store", "engine", "embedded", "service", "api"]),
];

/// The modules that a file imports, or all files below a folder.
fn imports(place: &Path) -> BTreeSet<String> {
    if place.is_dir() {
        let entries = fs::read_dir(place).expect("the module's folder");
        return entries.flat_map(|entry| imports(&entry.expect("an entry").path())).collect();
    }
    if place.extension().is_none_or(|ending| ending != "rs") {
        return BTreeSet::new();
    }
    let text = fs::read_to_string(place).expect("source text");
    let after = text.match_indices("crate::").map(|(place, word)| &text[place + word.len()..]);
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    after.map(name).collect()
}

#[test]
fn imports_point_one_way() {
    let src = Path::new(PROJECT).join("src");
    for (module, allowed) in MAY_USE {
        let folder = src.join(module);
        let place = if folder.is_dir() { folder } else { folder.with_extension("rs") };
        for import in imports(&place) {
            let own = import == module;
            assert!(own || allowed.contains(&import.as_str()), "{module} uses crate::{import}");
        }
    }
}

#[test]
fn of_the_command_line_only_serving_knows_more_of_the_api_than_its_bodies() {
    let folder = Path::new(PROJECT).join("src/cli");
    for entry in fs::read_dir(folder).expect("the module's folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("source text").replace("crate::api::body", "");
        let may = ["serve.rs", "serve_options.rs", "demo.rs"].contains(&name.as_str());
        assert!(
            may || !text.contains("crate::api"),
            "{name} uses more of crate::api than its bodies"
        );
    }
}

/// What is confined to some modules, and these. The private PostgreSQL of the demo is a database of its
/// own, so `embedded` talks to it directly; `cli` hands the router of `api` to its server.
const CONFINED: [(&str, &[&str]); 5] = [
    ("utoipa", &["api"]),
    ("status: \"success\"", &["api"]),
    ("axum::", &["api", "cli"]),
    ("sqlx::", &["postgres", "embedded"]),
    ("object_store::", &["store"]),
];

#[test]
fn api_descriptions_sql_and_objects_are_confined_to_their_modules() {
    let src = Path::new(PROJECT).join("src");
    for path in files(PROJECT.as_ref(), "src") {
        let text = fs::read_to_string(&path).expect("source text");
        for (word, modules) in CONFINED {
            let allowed = modules.iter().any(|module| path.starts_with(src.join(module)));
            assert!(allowed || !text.contains(word), "{word} in {}", path.display());
        }
    }
}

#[test]
fn every_module_has_its_place_in_the_flow() {
    let lib = fs::read_to_string(Path::new(PROJECT).join("src/lib.rs"));
    let lib = lib.expect("the crate's map");
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let placed: BTreeSet<_> = MAY_USE.iter().map(|(module, _)| *module).collect();
    assert_eq!(modules.collect::<BTreeSet<_>>(), placed);
}

/// Private metaphors; docs/glossary.md has the standard terms.
const NO_MODULES: [&str; 11] = [
    "aftermath",
    "doomed",
    "hygiene",
    "marks",
    "meter",
    "older",
    "patient",
    "prop",
    "relief",
    "seek",
    "uproot",
];
const NO_TYPES: [&str; 6] = ["Asked", "Doomed", "Meter", "Place", "Seeker", "Spot"];
const NO_WORDS: [&str; 6] = ["aftermath", "doomed", "hygiene", "lend", "relief", "uproot"];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
}

#[test]
fn names_and_pages_use_standard_terms() {
    for path in [files(PROJECT.as_ref(), "src"), files(PROJECT.as_ref(), "tests/it")].concat() {
        let stem = path.file_stem().expect("a name").to_string_lossy();
        let first = stem.split('_').next().unwrap_or_default();
        assert!(!NO_MODULES.contains(&first), "{}", path.display());
        if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("source text");
            let defined = text.lines().filter_map(|line| {
                let line = line.trim_start().trim_start_matches("pub(super) ");
                let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
                line.strip_prefix("struct ").or_else(|| line.strip_prefix("enum "))
            });
            for name in defined.filter_map(|rest| words(rest).next()) {
                assert!(!NO_TYPES.contains(&name), "{}: {name}", path.display());
            }
        }
    }
    for path in files(PROJECT.as_ref(), "docs")
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
    {
        let text = fs::read_to_string(&path).expect("a page").to_lowercase();
        let found = words(&text).find(|word| NO_WORDS.contains(&word.trim_matches('.')));
        assert_eq!(found, None, "{}", path.display());
    }
}
