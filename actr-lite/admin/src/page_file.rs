//! The page for people: files that the program has in itself.

/// One of the page's files.
#[derive(Debug, PartialEq, Eq)]
pub struct PageFile {
    /// Where it is served.
    pub path: &'static str,
    /// What it is.
    pub content_type: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// What the page may do: run its own scripts, ask its own server, and be nobody's frame.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! page_file {
    ($path:literal, $content_type:expr, $file:literal) => {
        PageFile {
            path: $path,
            content_type: $content_type,
            text: include_str!(concat!("../page/", $file)),
        }
    };
}

static FILES: [PageFile; 10] = [
    page_file!("/", "text/html; charset=utf-8", "index.html"),
    page_file!("/page/page.css", "text/css; charset=utf-8", "page.css"),
    page_file!("/page/page.js", JAVASCRIPT, "page.js"),
    page_file!("/page/feed.js", JAVASCRIPT, "feed.js"),
    page_file!("/page/event_stream.js", JAVASCRIPT, "event_stream.js"),
    page_file!("/page/merge_patch.js", JAVASCRIPT, "merge_patch.js"),
    page_file!("/page/format.js", JAVASCRIPT, "format.js"),
    page_file!("/page/plot.js", JAVASCRIPT, "plot.js"),
    page_file!("/page/rates.js", JAVASCRIPT, "rates.js"),
    page_file!("/page/table.js", JAVASCRIPT, "table.js"),
];

impl PageFile {
    /// The file that is served at this path.
    pub fn at(path: &str) -> Option<&'static Self> {
        FILES.iter().find(|file| file.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_file_names_is_served() {
        let mut named = 0;
        for file in &FILES {
            let quoted = file.text.split('"').skip(1).step_by(2);
            for path in quoted.filter(|text| text.starts_with("/page/") || text.starts_with("./")) {
                let path = path.replace("./", "/page/");
                assert!(PageFile::at(&path).is_some(), "{} names {path}", file.path);
                named += 1;
            }
        }
        assert!(named >= 9, "{named}");
    }

    #[test]
    fn nothing_in_the_page_makes_markup_of_text() {
        for file in &FILES {
            for way in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "style=",
                "onclick=",
            ] {
                assert!(!file.text.contains(way), "{} has {way}", file.path);
            }
        }
    }
}
