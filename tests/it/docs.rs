//! The documentation: its links, the paths that it names, the length of the first page.

use std::fs;
use std::path::{Path, PathBuf};

use crate::store::samples::files;

/// `README.md`, and every page below `docs`.
fn pages() -> Vec<PathBuf> {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = project.join("README.md");
    files(project, "docs").into_iter().filter(is_page).chain([readme]).collect()
}

/// The lines of a page outside of its code blocks.
fn prose(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let outside = |line: &&str| {
        let fence = line.starts_with("```");
        in_code ^= fence;
        !fence && !in_code
    };
    text.lines().filter(outside).collect()
}

/// The anchor of a heading: lower case, spaces as dashes, no other punctuation.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().replace(' ', "-")
}

/// The targets of the links `[…](target)` to files of the project.
fn links(line: &str) -> Vec<&str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// The paths in backticks that begin with a folder of the code.
fn code_paths(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let is_code = |text: &&str| text.starts_with("src/") || text.starts_with("tests/");
    quoted.filter(is_code).collect()
}

#[test]
fn relative_links_point_to_files_and_headings_that_exist() {
    let mut found = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for target in prose(&text).into_iter().flat_map(links) {
            found += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = page.parent().expect("a folder").join(file);
            let path = if file.is_empty() { page.clone() } else { path };
            assert!(path.exists(), "{}: {target}", page.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&path).expect("a page");
                let mut headings = prose(&text).into_iter().filter(|line| line.starts_with('#'));
                assert!(
                    headings.any(|line| anchor(line) == heading),
                    "{}: {target}",
                    page.display()
                );
            }
        }
    }
    assert!(found > 50, "{found}");
}

#[test]
fn code_paths_name_files_that_exist() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for path in prose(&text).into_iter().flat_map(code_paths) {
            found += 1;
            assert!(project.join(path).exists(), "{}: {path}", page.display());
        }
    }
    assert!(found > 50, "{found}");
}

#[test]
fn readme_has_at_most_110_lines() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let lines = fs::read_to_string(readme).expect("the first page").lines().count();
    assert!(lines <= 110, "{lines}");
}
