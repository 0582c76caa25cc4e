//! The front door around another service, for tower.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::service::{Answering, EngineService};
use crate::body::Body;

/// Puts an engine before another service: requests inside its path are the engine's, all others go on. Made by
/// [`EngineService::into_layer`].
pub struct EngineLayer<D>(EngineService<D>);

/// An engine before another service, made by [`EngineLayer`].
pub struct EngineBefore<S, D> {
    engine: EngineService<D>,
    inner: S,
}

impl<D> EngineService<D> {
    /// The same as a layer of tower, around an application's other service.
    #[must_use]
    pub fn into_layer(self) -> EngineLayer<D> {
        EngineLayer(self)
    }
}

impl<D> Clone for EngineLayer<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D, S: Clone> Clone for EngineBefore<S, D> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<D> fmt::Debug for EngineLayer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EngineLayer").field(&self.0).finish()
    }
}

impl<D, S> fmt::Debug for EngineBefore<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBefore")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl<S, D> Layer<S> for EngineLayer<D> {
    type Service = EngineBefore<S, D>;

    fn layer(&self, inner: S) -> Self::Service {
        EngineBefore {
            engine: self.0.clone(),
            inner,
        }
    }
}

impl<S, D, B, C> Service<http::Request<B>> for EngineBefore<S, D>
where
    S: Service<http::Request<B>, Response = http::Response<C>>,
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = http::Response<EitherBody<C>>;
    type Error = S::Error;
    type Future = EitherFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if self.engine.serves(request.uri().path()) {
            let answering = hyper::service::Service::call(&self.engine, request);
            return EitherFuture::Engine { answering };
        }
        EitherFuture::Inner {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The answer of an engine or of the service behind it.
    #[project = EitherFutureProjection]
    #[allow(missing_docs, reason = "only its output is for the application")]
    pub enum EitherFuture<F> {
        #[doc(hidden)]
        Engine { answering: Answering },
        #[doc(hidden)]
        Inner {
            #[pin]
            inner: F,
        },
    }
}

impl<F> fmt::Debug for EitherFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EitherFuture").finish_non_exhaustive()
    }
}

impl<F, C, E> Future for EitherFuture<F>
where
    F: Future<Output = Result<http::Response<C>, E>>,
{
    type Output = Result<http::Response<EitherBody<C>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project() {
            EitherFutureProjection::Engine { answering } => {
                // An engine does not fail.
                let Ok(response) = ready!(answering.as_mut().poll(cx));
                Ok(response.map(|body| EitherBody::Engine { body }))
            }
            EitherFutureProjection::Inner { inner } => {
                let response = ready!(inner.poll(cx))?;
                Ok(response.map(|body| EitherBody::Inner { body }))
            }
        })
    }
}

pin_project! {
    /// The body of an answer of an engine or of the service behind it.
    #[project = EitherBodyProjection]
    #[allow(missing_docs, reason = "it is read as a body")]
    pub enum EitherBody<B> {
        #[doc(hidden)]
        Engine { body: Body },
        #[doc(hidden)]
        Inner {
            #[pin]
            body: B,
        },
    }
}

impl<B> fmt::Debug for EitherBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EitherBody").finish_non_exhaustive()
    }
}

impl<B> HttpBody for EitherBody<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match self.project() {
            EitherBodyProjection::Engine { body } => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                frame.map(|frame| frame.map_err(Into::into))
            }
            EitherBodyProjection::Inner { body } => {
                let frame = ready!(body.poll_frame(cx));
                frame.map(|frame| frame.map_err(Into::into))
            }
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Engine { body } => body.is_end_stream(),
            Self::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Engine { body } => body.size_hint(),
            Self::Inner { body } => body.size_hint(),
        }
    }
}
