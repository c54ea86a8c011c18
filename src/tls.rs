//! TLS of outgoing connections: one crypto provider (ring) for the whole program.

use reqwest::ClientBuilder;

/// Makes ring the crypto provider of the process, unless it has one. Every client of `reqwest` needs it,
/// also those that `object_store` makes.
pub fn use_ring() {
    // An error says that there is a provider already: ours, or that of the program around this library.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Returns the builder of an HTTP client.
#[expect(clippy::disallowed_methods, reason = "the provider is there")]
pub fn client_builder() -> ClientBuilder {
    use_ring();
    reqwest::Client::builder()
}
