//! The pages that quote measured figures, and what they are made with.

#[path = "../../benches/cycle/results/mod.rs"]
mod results;

use std::fs;
use std::path::Path;

use serde_json::json;

use results::budgets::{Budget, table};
use results::quote::{highlights, replaced};
use results::statistics::{median, ratio};
use results::words::{count, figure};

#[test]
fn every_page_says_what_the_figures_say() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = results::pages(project).expect("the figures are read");
    for quoting in ["README.md", "docs/performance.md"] {
        let quotes = pages.iter().any(|page| page.path == project.join(quoting));
        assert!(quotes, "{quoting} quotes no figures");
    }
    for page in pages {
        if std::env::var_os("DOCS_UPDATE").is_some() {
            fs::write(&page.path, &page.text).expect("written");
        }
        let there = fs::read_to_string(&page.path).expect("the page");
        let path = page.path.display();
        assert!(
            there == page.text,
            "{path}: `cargo bench --bench cycle -- --pages` or DOCS_UPDATE=1 mends it"
        );
    }
}

#[test]
fn a_median_lies_in_the_middle_whatever_the_order() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[3.0, 1.0, 9.0]), Some(3.0));
    assert_eq!(median(&[3.0, 1.0, 9.0, 4.0]), Some(3.5));
}

#[test]
fn there_is_no_ratio_to_what_was_not_measured() {
    assert_eq!(ratio(&[1.0], &[]), None);
    assert_eq!(ratio(&[1.0], &[2.0]), Some(0.5));
}

#[test]
fn figures_have_as_many_digits_as_say_something() {
    assert_eq!([0.0123, 1.234, 12.34, 1234.5].map(figure), ["0.012", "1.23", "12.3", "1234"]);
    assert_eq!([999, 1_000, 1_234_567].map(count), ["999", "1,000", "1,234,567"]);
}

#[test]
fn a_budget_is_met_up_to_its_limit_and_open_where_nothing_was_measured() {
    let line = |measured| {
        let budget = Budget { what: "it".into(), at_most: 1.3, unit: " s", measured };
        table([budget]).lines().last().expect("a line").to_owned()
    };
    assert_eq!(line(Some(1.3)), "| it | 1.3 s | 1.30 s | met |");
    assert_eq!(line(Some(1.31)), "| it | 1.3 s | 1.31 s | **missed** |");
    assert_eq!(line(None), "| it | 1.3 s |  | not measured |");
}

fn a_run() -> results::Run {
    let row = json!({
        "what": "first backup", "by": "ipam-rewind",
        "seconds": [2, 3, 9], "peak_bytes": [1_048_576], "stored_bytes": [5_000_000],
    });
    let run = json!({
        "prefixes": 5_000, "plan_rows": 6_000, "plan": "", "rounds": 3, "machine": "",
        "commit": "", "rows": [row],
    });
    serde_json::from_value(run).expect("a run")
}

#[test]
fn only_what_stands_between_the_markers_is_replaced() {
    let page = "before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n";
    let table = results::quote::table(&a_run());
    let new = replaced(page, &table).expect("a page with markers");
    assert!(new.starts_with("before\n<!-- bench:begin -->\n5,000 prefixes"), "{new}");
    assert!(new.contains("| first backup | 3.00 s, 5.00 MB |"), "{new}");
    assert!(new.ends_with("|\n<!-- bench:end -->\nafter\n") && !new.contains("old"), "{new}");
    assert!(replaced("no place", &table).is_err());
}

#[test]
fn highlights_show_time_growth_and_memory() {
    let text = highlights(&a_run());
    assert!(text.starts_with("| 5,000 prefixes | time |"), "{text}");
    assert!(text.ends_with("| first backup | 3.00 s | 5.00 MB | 1 MiB |\n"), "{text}");
}
