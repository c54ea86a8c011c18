//! What a compressor could do if it never had to give back a single row: the whole plan in one frame.

use anyhow::Result;
use ipam_rewind::tree::fields;
use zstd::bulk::Compressor;

use crate::plan::{Rows, State};

/// The name of each way and its bytes.
pub fn limits(state: &State) -> Result<Vec<(&'static str, usize)>> {
    let rows: Vec<u8> = state.iter().flat_map(|rows| rows.text.clone()).collect();
    let columns: Vec<u8> = state.iter().flat_map(by_column).collect();
    Ok(vec![
        ("row by row, level 3", whole(&rows, 3)?),
        ("row by row, level 19", whole(&rows, 19)?),
        ("column by column, level 3", whole(&columns, 3)?),
        ("column by column, level 19", whole(&columns, 19)?),
    ])
}

fn whole(text: &[u8], level: i32) -> Result<usize> {
    let mut zstd = Compressor::new(level)?;
    zstd.long_distance_matching(true)?;
    zstd.window_log(27)?;
    Ok(zstd.compress(text)?.len())
}

fn by_column(rows: &Rows) -> Vec<u8> {
    let mut columns = vec![Vec::new(); rows.table.columns.len()];
    for row in rows.text.split(|&byte| byte == b'\n').filter(|row| !row.is_empty()) {
        for (column, field) in columns.iter_mut().zip(fields(row)) {
            column.extend_from_slice(field);
            column.push(b'\n');
        }
    }
    columns.concat()
}
