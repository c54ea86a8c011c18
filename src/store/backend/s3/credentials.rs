//! Credentials that come within seconds, or an error that says where they were looked for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider};
use object_store::{CredentialProvider, Error, RetryConfig};
use tokio::time::Instant;

use crate::store::backend::s3::Fault;

/// Time limit of a service that hands out credentials.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time until the message that they are waited for.
const SAY_AFTER: Duration = Duration::from_secs(4);

/// A provider that does not wait for long.
#[derive(Debug)]
pub struct Credentials {
    inner: AwsCredentialProvider,
    source: Source,
}

/// Source of credentials.
#[derive(Debug, Clone)]
enum Source {
    /// From variables.
    Given,
    /// From a service that a variable names.
    Named(&'static str),
    /// From the metadata service at this address, since nothing else is set.
    Instance(String),
}

impl Credentials {
    /// The provider that `builder` would use.
    pub fn of(builder: AmazonS3Builder) -> Result<AwsCredentialProvider, Error> {
        let source = Source::of(&builder);
        let retry =
            RetryConfig { max_retries: 2, retry_timeout: PATIENCE, ..RetryConfig::default() };
        let built = builder.with_retry(retry).build()?;
        Ok(Arc::new(Self { inner: built.credentials().clone(), source }))
    }

    fn missing(&self, why: &str) -> Error {
        let sought = match &self.source {
            Source::Given => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into(),
            Source::Named(variable) => format!("the service that {variable} names: {why}"),
            Source::Instance(address) => format!(
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, web identity (AWS_WEB_IDENTITY_TOKEN_FILE \
                 and AWS_ROLE_ARN), container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or \
                 AWS_CONTAINER_CREDENTIALS_FULL_URI), instance metadata ({address}: {why})"
            ),
        };
        Error::Generic { store: "S3", source: Box::new(Fault::NoCredentials(sought)) }
    }
}

impl Source {
    fn of(builder: &AmazonS3Builder) -> Self {
        let value = |key| builder.get_config_value(&key);
        let is_set = |key| value(key).is_some();
        if is_set(AmazonS3ConfigKey::AccessKeyId) || is_set(AmazonS3ConfigKey::SecretAccessKey) {
            return Self::Given;
        }
        for (key, name) in [
            (AmazonS3ConfigKey::WebIdentityTokenFile, "AWS_WEB_IDENTITY_TOKEN_FILE"),
            (
                AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            ),
            (AmazonS3ConfigKey::ContainerCredentialsFullUri, "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ] {
            if is_set(key) {
                return Self::Named(name);
            }
        }
        let address = value(AmazonS3ConfigKey::MetadataEndpoint);
        Self::Instance(address.unwrap_or_else(|| "http://169.254.169.254".into()))
    }

    fn service(&self) -> &str {
        match self {
            Self::Given => "the environment",
            Self::Named(variable) => variable,
            Self::Instance(address) => address,
        }
    }
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> Result<Arc<AwsCredential>, Error> {
        let until = Instant::now() + PATIENCE;
        let asked = self.inner.get_credential();
        tokio::pin!(asked);
        if let Ok(answer) = tokio::time::timeout(SAY_AFTER, &mut asked).await {
            return answer.map_err(|error| self.missing(&last_cause(&error)));
        }
        tracing::warn!("waiting for S3 credentials from {}", self.source.service());
        match tokio::time::timeout_at(until, asked).await {
            Ok(answer) => answer.map_err(|error| self.missing(&last_cause(&error))),
            Err(_) => Err(self.missing(&format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }
}

fn last_cause(error: &Error) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |it| it.source());
    chain.last().map_or_else(String::new, ToString::to_string)
}
