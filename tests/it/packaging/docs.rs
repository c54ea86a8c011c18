//! What the documentation says, for tests to run.

use std::fs;
use std::path::Path;

/// The text of a file of the project.
pub fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The block of docs/integrate.md that opens with this line.
pub fn block(opening: &str) -> String {
    block_of("docs/integrate.md", opening)
}

/// The block of a page that opens with this line.
pub fn block_of(page: &str, opening: &str) -> String {
    let page = file(page);
    let start = page.find(&format!("```{opening}\n")).expect("the block is there");
    let block = &page[start + opening.len() + 4..];
    block[..block.find("```").expect("it ends")].to_owned()
}

/// YAML of one document as JSON.
pub fn yaml(text: &str) -> serde_json::Value {
    let mut documents = yamls(text);
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// YAML as JSON, a value for each document.
pub fn yamls(text: &str) -> Vec<serde_json::Value> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut python = Command::new("/usr/bin/python3");
    python.args([
        "-c",
        "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)",
    ]);
    let child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("python3 runs");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(text.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "no YAML, or python3-yaml is missing: run scripts/setup.sh");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
