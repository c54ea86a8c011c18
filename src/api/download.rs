//! A file that is made while it is sent.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream::poll_fn;

use super::slots::Slot;
use crate::engine::Download;

/// The file as an attachment. If it fails halfway the connection breaks, so that nobody takes the
/// half for the whole.
pub fn response(file: Download, slot: Slot) -> Response {
    let name = format!("attachment; filename=\"{}\"", file.name);
    let name = HeaderValue::from_str(&name).expect("names are made of ids and words of ours");
    let mut blocks = file.blocks;
    let blocks = poll_fn(move |context| blocks.poll_recv(context)).map(move |block| {
        let _slot = &slot;
        block
            .inspect_err(|error| tracing::error!("a download failed: {}", error.chain().join(": ")))
    });
    let kind = HeaderValue::from_static(file.media_type);
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)];
    let mut response = (headers, Body::from_stream(blocks)).into_response();
    if let Some(size) = file.size {
        response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
    }
    response
}
