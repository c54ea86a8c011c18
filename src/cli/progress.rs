//! A progress bar on a terminal; nothing otherwise.

use std::io::stderr;
use std::time::Duration;

use indicatif::{HumanFloatCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::output::{is_screen, size};
use crate::engine::{Phase, Progress};

/// A bar that follows a run until it is finished.
pub struct Shown(Option<(JoinHandle<()>, ProgressBar)>);

impl Shown {
    /// Takes the bar away.
    pub async fn finish(self) {
        if let Some((task, bar)) = self.0 {
            task.abort();
            let _ = task.await;
            bar.finish_and_clear();
        }
    }
}

/// Shows the progress of a run on a terminal that can move its cursor.
pub fn show(mut progress: watch::Receiver<Progress>, quiet: bool) -> Shown {
    if quiet || !is_screen(&stderr()) {
        return Shown(None);
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    draw(&bar, &Progress::default());
    bar.enable_steady_tick(Duration::from_millis(120));
    let shown = bar.clone();
    let follow = async move {
        let mut phase = Phase::Starting;
        loop {
            let now = *progress.borrow_and_update();
            if now.phase != phase {
                phase = now.phase;
                bar.reset();
            }
            draw(&bar, &now);
            tokio::time::sleep(Duration::from_millis(100)).await;
            if progress.changed().await.is_err() {
                return;
            }
        }
    };
    Shown(Some((tokio::spawn(follow), shown)))
}

fn draw(bar: &ProgressBar, now: &Progress) {
    let words = match now.phase {
        Phase::Starting | Phase::Done => "Starting",
        Phase::Verifying => "Verifying the backup",
        Phase::Locking => "Waiting for the tables",
        Phase::Reading => "Reading the database",
        Phase::Comparing => "Comparing",
        Phase::Applying => "Applying the changes",
        Phase::Proving => "Proving the result",
        Phase::Committing => "Committing",
        Phase::Sweeping => "Freeing space",
        Phase::Exporting => "Exporting",
        Phase::Importing => "Importing",
        Phase::Copying => "Copying",
    };
    let template = match (now.total_rows, now.total_bytes, now.rows, now.bytes) {
        (Some(_), ..) => {
            "{msg} [{bar:30}] {human_pos}/{human_len} rows{volume}, {rate}, {eta} left"
        }
        (_, Some(_), ..) => "{msg} [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
        (_, _, 1.., _) => "{spinner} {msg}: {human_pos} rows, {rate}",
        (_, _, 0, 1..) => "{spinner} {msg}: {bytes}, {bytes_per_sec}",
        _ => "{spinner} {msg} ({elapsed})",
    };
    let style = ProgressStyle::with_template(template).expect("the templates are well-formed");
    let bytes = now.bytes;
    let volume = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = if bytes > 0 { write!(out, ", {}", size(bytes)) } else { Ok(()) };
    };
    let style = style.with_key("rate", rate).with_key("volume", volume);
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(words);
    let total = now.total_rows.or(now.total_bytes);
    let done = if now.total_bytes.is_some() || now.rows == 0 { now.bytes } else { now.rows };
    match total {
        // The total is that of the last backup; there may be more rows by now.
        Some(total) => bar.set_length(total.max(done)),
        None => bar.unset_length(),
    }
    bar.set_position(done);
}

/// Rows a second, without a fraction.
fn rate(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    let _ = write!(out, "{}/s", HumanFloatCount(state.per_sec().round()));
}
