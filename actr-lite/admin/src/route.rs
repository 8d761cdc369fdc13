//! Which request gets which answer.

use hyper::Method;

use crate::{page_file::PageFile, paging::Page, token::Token};

/// Something that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/livez`: that the process runs.
    Livez,
    /// `/readyz`: whether it can serve.
    Readyz,
    /// `/`: the page for people, and what it consists of.
    Page(&'static PageFile),
    /// `/metrics`: how much it has done.
    Metrics,
    /// `/api/v1/status`: what it does.
    Status,
    /// `/api/v1/events`: what happens.
    Events,
}

/// The methods that every route takes.
pub const METHODS: &str = "GET, HEAD";

/// A request that is not answered as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// RFC 9110 §15.5.6.
    Method,
    /// It does not show the token.
    NoToken,
    /// It shows another one.
    WrongToken,
    /// Its query names no page.
    Page,
}

impl Route {
    /// The route of this path, if there is one.
    pub fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/livez" => Self::Livez,
            "/readyz" => Self::Readyz,
            "/metrics" => Self::Metrics,
            "/api/v1/status" => Self::Status,
            "/api/v1/events" => Self::Events,
            _ => Self::Page(PageFile::at(path)?),
        })
    }

    /// Whether it tells more than whoever finds the port may know.
    fn is_guarded(self) -> bool {
        match self {
            Self::Livez | Self::Readyz | Self::Page(_) => false,
            Self::Metrics | Self::Status | Self::Events => true,
        }
    }

    /// Whether a request is answered, and with which page. `shown` is its `Authorization`.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(
        self,
        method: &Method,
        query: Option<&str>,
        shown: Option<&[u8]>,
        token: Option<&Token>,
    ) -> Result<Page, Refused> {
        if ![Method::GET, Method::HEAD].contains(method) {
            return Err(Refused::Method);
        }
        if let Some(token) = token.filter(|_| self.is_guarded()) {
            let shown = shown.ok_or(Refused::NoToken)?;
            if !token.is_shown_by(shown) {
                return Err(Refused::WrongToken);
            }
        }
        match self {
            Self::Status | Self::Events => Page::from_query(query).ok_or(Refused::Page),
            _ => Ok(Page::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARDED: [&str; 3] = ["/metrics", "/api/v1/status", "/api/v1/events"];
    const OPEN: [&str; 4] = ["/livez", "/readyz", "/", "/page/page.js"];

    fn admit(path: &str, method: &str, shown: Option<&str>, token: Option<&str>) -> Result<Page, Refused> {
        let token = token.map(|token| token.parse().unwrap());
        let route = Route::of(path).unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        route.admit(&method, None, shown.map(str::as_bytes), token.as_ref())
    }

    #[test]
    fn only_get_and_head_are_answered() {
        for path in GUARDED.iter().chain(&OPEN) {
            assert!(admit(path, "GET", None, None).is_ok() && admit(path, "HEAD", None, None).is_ok());
            for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"] {
                assert_eq!(admit(path, method, None, None), Err(Refused::Method), "{path} {method}");
            }
        }
    }

    #[test]
    fn what_tells_something_takes_the_token_and_probes_do_not() {
        let token = Some("0123456789abcdef");
        for path in OPEN {
            assert!(admit(path, "GET", None, token).is_ok(), "{path}");
        }
        for path in GUARDED {
            assert_eq!(admit(path, "GET", None, token), Err(Refused::NoToken));
            assert_eq!(admit(path, "GET", Some("Bearer no"), token), Err(Refused::WrongToken));
            assert!(admit(path, "GET", Some("Bearer 0123456789abcdef"), token).is_ok());
        }
    }

    #[test]
    fn a_page_that_is_none_is_refused() {
        let page = |query| Route::Status.admit(&Method::GET, Some(query), None, None);
        assert_eq!(page("page=2").map(Page::number), Ok(2));
        assert_eq!(page("page=two"), Err(Refused::Page));
        assert_eq!(Route::of("/api/v1/nothing"), None);
    }
}
