//! The page that names the tests behind each promise.

use std::path::Path;
use std::process::Command;

/// The names of all tests of this program.
fn tests() -> Vec<String> {
    let program = std::env::current_exe().expect("this program");
    let listed = Command::new(program).arg("--list").output().expect("it lists its tests");
    let text = String::from_utf8(listed.stdout).expect("text");
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

#[test]
fn the_page_on_reliability_names_tests_that_exist_and_their_number() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let tests = tests();
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && line.contains("::`")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let modules: Vec<_> = cells[2].split('`').filter(|text| text.contains("::")).collect();
        for module in &modules {
            assert!(tests.iter().any(|test| test.starts_with(module)), "no test in {module}");
        }
        let found = tests.iter().filter(|test| modules.iter().any(|name| test.starts_with(name)));
        assert_eq!(cells[3].parse(), Ok(found.count()), "{row}");
        rows += 1;
    }
    assert!(rows > 30, "{rows}");
}
