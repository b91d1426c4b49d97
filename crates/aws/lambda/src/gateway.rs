//! Calls to a gateway: send this to that connection, or close it.

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::retry::RetryConfig;
use aws_sdk_apigatewaymanagement::config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_apigatewaymanagement::primitives::Blob;
use tokio::sync::OnceCell;

use crate::limits;

/// A gateway. Where it is is said by its first request, unless it is given.
#[derive(Debug, Default)]
pub struct Gateway {
    endpoint: Option<String>,
    client: OnceCell<Client>,
}

/// Why a frame was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// Nobody is there any more.
    #[error("the connection is gone")]
    Gone,
    /// The gateway says no, or nothing.
    #[error("the gateway does not take it: {0}")]
    Failed(String),
}

impl Gateway {
    /// A gateway at that endpoint; none: where requests come from.
    #[must_use]
    pub fn new(endpoint: Option<String>) -> Self {
        Self { endpoint, client: OnceCell::new() }
    }

    /// Makes the client, for requests of that domain and stage.
    pub(crate) async fn begin(&self, domain: &str, stage: &str) {
        let endpoint =
            || self.endpoint.clone().unwrap_or_else(|| format!("https://{domain}/{stage}"));
        self.client.get_or_init(|| client(endpoint())).await;
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// [`PostError`].
    pub(crate) async fn post(&self, connection: &str, frame: &str) -> Result<(), PostError> {
        let client = self.client().await?;
        let post = client.post_to_connection().connection_id(connection).data(Blob::new(frame));
        match post.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("GoneException") => Err(PostError::Gone),
            Err(error) => Err(PostError::Failed(DisplayErrorContext(error).to_string())),
        }
    }

    /// Closes a connection. One that is closed is closed.
    pub(crate) async fn close(&self, connection: &str) {
        let Ok(client) = self.client().await else { return };
        let closing = client.delete_connection().connection_id(connection).send().await;
        if let Err(error) = closing
            && error.code() != Some("GoneException")
        {
            let error = DisplayErrorContext(error).to_string();
            tracing::warn!(connection, error, "a connection was not closed");
        }
    }

    async fn client(&self) -> Result<&Client, PostError> {
        match &self.endpoint {
            Some(endpoint) => Ok(self.client.get_or_init(|| client(endpoint.clone())).await),
            None => {
                let unknown = || PostError::Failed("no request said where it is".to_owned());
                self.client.get().ok_or_else(unknown)
            }
        }
    }
}

async fn client(endpoint: String) -> Client {
    let surroundings = twinstore_dynamodb::surroundings(None, Some(&endpoint)).await;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(limits::POST_TIME).build();
    let config = aws_sdk_apigatewaymanagement::config::Builder::from(&surroundings)
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts)
        .build();
    Client::from_conf(config)
}
