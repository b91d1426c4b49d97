//! `--www DIR`: an app's files beside the API, for demos and small installations.

use std::path::Path;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeader;

/// Adds the files of a directory. A path without a dot that names no file is a page of the app:
/// it gets `index.html`.
pub(super) fn serve(router: Router, dir: &Path) -> Router {
    let index = dir.join("index.html");
    let page = axum::routing::any(move |uri: Uri| {
        let index = index.clone();
        async move { page(&uri, &index).await }
    });
    let files = ServeDir::new(dir).fallback(page);
    // A build's files change under their names while it is worked on.
    let no_cache = HeaderValue::from_static("no-cache");
    let files = SetResponseHeader::overriding(files, header::CACHE_CONTROL, no_cache);
    router.fallback_service(files)
}

async fn page(uri: &Uri, index: &Path) -> Response {
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    if last.contains('.') {
        return StatusCode::NOT_FOUND.into_response();
    }
    match tokio::fs::read(index).await {
        Ok(bytes) => Html(bytes).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
