//! S3 and everything that speaks like it: a client whose requests end within a known time, and whose
//! errors say what the server refuses.

mod credentials;
mod fault;
mod options;
mod requests;

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{ClientConfigKey, RetryConfig};

pub use fault::Fault;
pub use options::{Addressing, S3Options};

use crate::tls;
use credentials::Credentials;
use requests::Connector;

/// The client of a bucket. Credentials, and what the options leave open, are those of `builder`.
///
/// # Errors
/// If the settings contradict each other.
pub fn connect(
    builder: AmazonS3Builder,
    bucket: &str,
    options: &S3Options,
) -> Result<AmazonS3, object_store::Error> {
    tls::use_ring();
    let mut builder = builder.with_bucket_name(bucket);
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    let named = endpoint(&builder);
    if let Some(addressing) = options.addressing {
        let is_virtual = addressing == Addressing::Virtual;
        builder = builder.with_virtual_hosted_style_request(is_virtual);
        if let Some(endpoint) = named.as_deref().filter(|_| is_virtual) {
            let host = options::with_bucket(endpoint, bucket);
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, host);
        }
    }
    // An address that is written out with http:// is meant.
    let plain = options.endpoint.as_deref().is_some_and(|it| it.starts_with("http://"));
    for (key, value) in [
        (ClientConfigKey::AllowHttp, plain.then(|| "true".to_owned())),
        (ClientConfigKey::Timeout, options.timeout.map(seconds)),
        (ClientConfigKey::ConnectTimeout, options.connect_timeout.map(seconds)),
    ] {
        if let Some(value) = value {
            builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
        }
    }
    // As long as time is left; the pauses grow to some seconds.
    let max_retries = usize::MAX;
    let retry = RetryConfig { max_retries, retry_timeout: options.retry, ..RetryConfig::default() };
    // Servers that know no bulk delete refuse the request for a single object, too.
    let builder = builder.with_disable_bulk_delete(true).with_retry(retry);
    let credentials = Credentials::of(builder.clone())?;
    let server = named.unwrap_or_else(|| region_of(&builder));
    builder.with_credentials(credentials).with_http_connector(Connector::to(server)).build()
}

fn seconds(time: Duration) -> String {
    format!("{} seconds", time.as_secs())
}

/// The server that a builder would talk to, without secrets.
pub fn server(builder: &AmazonS3Builder, options: &S3Options) -> String {
    let named = options.endpoint.clone().or_else(|| endpoint(builder));
    named.unwrap_or_else(|| options.region.clone().unwrap_or_else(|| region_of(builder)))
}

fn endpoint(builder: &AmazonS3Builder) -> Option<String> {
    let value = |key| builder.get_config_value(&key);
    value(AmazonS3ConfigKey::S3Endpoint).or_else(|| value(AmazonS3ConfigKey::Endpoint))
}

fn region_of(builder: &AmazonS3Builder) -> String {
    let region = builder.get_config_value(&AmazonS3ConfigKey::Region);
    format!("AWS S3 in {}", region.unwrap_or_else(|| "us-east-1".into()))
}
