//! HTTP clients for the SDKs that end in this process.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt as _;

/// What answers requests. An error is a connection that broke.
pub trait Answer: Clone + Send + Sync + 'static {
    /// The response, or how the connection broke.
    fn answer(
        &self,
        request: http::Request<Bytes>,
    ) -> impl Future<Output = Result<http::Response<Bytes>, BoxError>> + Send;
}

impl<F, Fut> Answer for F
where
    F: Fn(http::Request<Bytes>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<http::Response<Bytes>, BoxError>> + Send,
{
    fn answer(
        &self,
        request: http::Request<Bytes>,
    ) -> impl Future<Output = Result<http::Response<Bytes>, BoxError>> + Send {
        self(request)
    }
}

/// An HTTP client for any SDK client, answered by a function.
pub fn http_client(answer: impl Answer) -> SharedHttpClient {
    SharedHttpClient::new(InProcess(answer))
}

#[derive(Clone)]
struct InProcess<A>(A);

impl<A> fmt::Debug for InProcess<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl<A: Answer> HttpClient for InProcess<A> {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl<A: Answer> HttpConnector for InProcess<A> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = collect(request).await.map_err(ConnectorError::user)?;
            let response = answer.answer(request).await.map_err(ConnectorError::io)?;
            let response = HttpResponse::try_from(response.map(SdkBody::from));
            response.map_err(|err| ConnectorError::other(err.into(), None))
        })
    }
}

async fn collect(request: HttpRequest) -> Result<http::Request<Bytes>, BoxError> {
    let (parts, body) = request.try_into_http1x()?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(http::Request::from_parts(parts, body))
}

/// Takes the bodies off the answers to `HEAD`.
///
/// A server does that on the wire; `s3s` called in process sends its XML, and the SDK would then see error codes
/// that the real S3 never shows it.
#[derive(Clone, Debug)]
pub(super) struct BareHeads(Arc<dyn HttpClient>);

impl BareHeads {
    pub(super) fn new(client: impl HttpClient + 'static) -> Self {
        Self(Arc::new(client))
    }
}

impl HttpClient for BareHeads {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(BareHeadsConnector(self.0.http_connector(settings, components)))
    }
}

#[derive(Debug)]
struct BareHeadsConnector(SharedHttpConnector);

impl HttpConnector for BareHeadsConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_head = request.method() == http::Method::HEAD.as_str();
        let answered = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let mut response = answered.await?;
            if is_head {
                *response.body_mut() = SdkBody::empty();
            }
            Ok(response)
        })
    }
}
