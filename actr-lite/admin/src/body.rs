//! What an answer consists of.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};

/// A text that is there, or messages as they come.
pub struct Body(Content);

enum Content {
    Whole(Full<Bytes>),
    Messages(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

impl Body {
    /// Messages, until there are no more.
    pub(crate) fn messages(messages: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self(Content::Messages(Box::pin(messages)))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(text: T) -> Self {
        Self(Content::Whole(Full::new(text.into())))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self(Content::Whole(Full::default()))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Content::Whole(whole) => Pin::new(whole).poll_frame(cx),
            Content::Messages(messages) => {
                let message = messages.as_mut().poll_next(cx);
                message.map(|message| message.map(|message| Ok(Frame::data(message))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(whole) => whole.is_end_stream(),
            Content::Messages(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(whole) => whole.size_hint(),
            Content::Messages(_) => SizeHint::default(),
        }
    }
}
