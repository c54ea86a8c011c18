//! The figures as tables.

use crate::plan::Plan;

/// What a setting's trees take.
pub struct Measured {
    /// Bytes of the first state.
    pub full: usize,
    /// Chunks of it.
    pub chunks: usize,
    /// Of the bytes, those of inner nodes.
    pub nodes: usize,
    /// Bytes that each edit adds.
    pub grown: Vec<usize>,
    /// What making the first state's trees took.
    pub seconds: f64,
}

#[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

impl Measured {
    pub fn line(&self, name: &str) -> String {
        let grown: Vec<_> = self
            .grown
            .iter()
            .map(|&bytes| format!("{:.2} %", 100.0 * megabytes(bytes) / megabytes(self.full)))
            .collect();
        format!(
            "| {name} | {:.2} MB | {} | {:.1} % | {} | {:.2} s |\n",
            megabytes(self.full),
            self.chunks,
            100.0 * megabytes(self.nodes) / megabytes(self.full),
            grown.join(" | "),
            self.seconds
        )
    }
}

pub fn head(plan: &Plan, prefixes: u64) -> String {
    format!(
        "# The format's numbers, one at a time\n\nThe sample plan with {prefixes} prefixes: {:.1} MB of \
         COPY text, {:.2} MB as `pg_dump -Fc`. Growth is in % of the full store, for 0.1 % of the prefixes changed at random \
         places, as many within 20 VRFs, and `updated_at` of every subnet.\n",
        megabytes(plan.bytes()),
        megabytes(plan.dumped)
    )
}

pub fn section(title: &str) -> String {
    format!(
        "\n## By {title}\n\n| {title} | full | chunks | of it nodes | 0.1 % random | 0.1 % clustered | \
         touched | time |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    )
}

/// The columns that take most.
pub fn columns(found: &[(&str, String, usize, usize)]) -> String {
    let mut out = "\n## By column\n\nEach column compressed by itself, without the chunks' heads; the \
                   twenty that take most.\n\n| part | column | as text | stored |\n| --- | --- | ---: | \
                   ---: |\n"
        .to_owned();
    for (part, column, raw, stored) in found.iter().take(20) {
        let (raw, stored) = (megabytes(*raw), megabytes(*stored));
        out += &format!("| {part} | {column} | {raw:.2} MB | {stored:.2} MB |\n");
    }
    out
}

/// What nothing that compresses can go below by much.
pub fn limits(found: &[(&str, usize)]) -> String {
    let mut out =
        "\n## The limit\n\nThe whole plan in one frame with a window over all of it, of which no \
                   single row could be read.\n\n| order | stored |\n| --- | ---: |\n"
            .to_owned();
    for (order, stored) in found {
        out += &format!("| {order} | {:.2} MB |\n", megabytes(*stored));
    }
    out
}
