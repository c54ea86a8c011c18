//! Imports point one way: each module may use those that stand before it in the data flow.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each module, and the modules that it may import.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("threads", &[]),
    ("model", &[]),
    ("tree", &["model"]),
    ("store", &["threads", "model", "tree"]),
    ("postgres", &["model", "tree"]),
    ("embedded", &[]),
    ("engine", &["threads", "model", "tree", "store", "postgres"]),
    ("service", &["model", "store", "engine"]),
    ("api", &["model", "store", "engine", "service"]),
    ("cli", &["threads", "model", "store", "engine", "embedded", "service", "api"]),
];

/// The modules that the files below this folder import.
fn imports(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the module's folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(imports(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("source text");
            let after =
                text.match_indices("crate::").map(|(place, word)| &text[place + word.len()..]);
            let name = |rest: &str| {
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
            };
            found.extend(after.map(name));
        }
    }
    found
}

#[test]
fn imports_point_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (module, allowed) in MAY_USE {
        for import in imports(&src.join(module)) {
            let own = import == module;
            assert!(own || allowed.contains(&import.as_str()), "{module} uses crate::{import}");
        }
    }
}

#[test]
fn of_the_command_line_only_serving_knows_the_api() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    for entry in fs::read_dir(folder).expect("the module's folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("source text");
        let may = ["serve.rs", "serve_options.rs", "demo.rs"].contains(&name.as_str());
        assert!(may || !text.contains("crate::api"), "{name} uses crate::api");
    }
}

#[test]
fn every_module_has_its_place_in_the_flow() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let lib = lib.expect("the crate's map");
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let placed: BTreeSet<_> = MAY_USE.iter().map(|(module, _)| *module).collect();
    assert_eq!(modules.collect::<BTreeSet<_>>(), placed);
}
