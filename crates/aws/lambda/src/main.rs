//! The program that Lambda starts: `bootstrap`, with its settings in the environment.

use std::process::ExitCode;
use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use twinstore_lambda::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &*error as &dyn std::error::Error, "the function cannot begin");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let function = Arc::new(settings.function()?);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let function = Arc::clone(&function);
        // Its type is beyond what the compiler lays out.
        Box::pin(async move {
            function.handle(event.payload).await.map_err(lambda_runtime::Error::from)
        })
    }))
    .await
}
