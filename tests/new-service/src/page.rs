use std::{mem, path::PathBuf};

/// What the page tells its reader to do.
///
/// A file is a code block below a line that is nothing but its path, between backticks and with a colon. A command is a
/// line of a `console` block that begins with `$ `.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) files: Vec<(PathBuf, String)>,
    pub(crate) commands: Vec<Vec<String>>,
}

/// What a code block is for.
enum Block {
    File(PathBuf),
    Commands,
    Other,
}

impl Page {
    pub(crate) fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let (mut block, mut file) = (None, None);
        let mut content = String::new();
        for line in text.lines() {
            match (&block, line.strip_prefix("```")) {
                (None, Some(language)) => {
                    block = Some(match (file.take(), language) {
                        (Some(path), _) => Block::File(path),
                        (None, "console") => Block::Commands,
                        (None, _) => Block::Other,
                    });
                }
                (None, None) if line.is_empty() => {}
                (None, None) => file = path_of(line),
                (Some(_), Some(_)) => {
                    if let Some(Block::File(path)) = block.take() {
                        page.files.push((path, mem::take(&mut content)));
                    }
                }
                (Some(Block::File(_)), None) => {
                    content.push_str(line);
                    content.push('\n');
                }
                (Some(Block::Commands), None) => {
                    let command = line.strip_prefix("$ ");
                    let words = command.map(|command| command.split(' ').map(Into::into).collect());
                    page.commands.extend(words);
                }
                (Some(Block::Other), None) => {}
            }
        }
        page
    }
}

/// The path in a line like `` `src/lib.rs`: ``
fn path_of(line: &str) -> Option<PathBuf> {
    let path = line.strip_prefix('`')?.strip_suffix("`:")?;
    (!path.contains('`')).then(|| path.into())
}

#[test]
fn a_page_is_read_as_files_and_commands() {
    let page = Page::parse(
        "Some `text`:\n\n```text\n$ not this\n```\n\n`src/lib.rs`:\n\n```rust\nfn a() {}\n\nfn b() {}\n```\n\
         \n`Cargo.toml`:\nno\n```toml\n[x]\n```\n```console\n$ cargo run -- 10\nprints this\n```\n",
    );
    assert_eq!(
        page.files,
        [("src/lib.rs".into(), "fn a() {}\n\nfn b() {}\n".to_owned())]
    );
    assert_eq!(page.commands, [["cargo", "run", "--", "10"]]);
}
