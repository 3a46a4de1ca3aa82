//! The sources of the crate as tokens: what each file imports, declares, implements and calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules of `base` that other files name as if they were modules of the crate, e.g. `crate::ids`.
pub const BASE: &[&str] = &["backoff", "clock", "config", "error", "ids", "level", "lock", "sync"];

/// One file of `src/`, without its comments and unit tests.
pub struct Source {
    /// From `src/` on, e.g. `broker/lease/room.rs`.
    pub path: String,
    /// The code as one text.
    pub code: String,
    tokens: Vec<String>,
}

/// A field of a struct.
pub struct Field {
    pub name: String,
    /// `""`, `"pub"`, `"pub(super)"` and so on.
    pub visibility: String,
    pub kind: Vec<String>,
}

/// The methods of one `impl` block of a type, and the tokens of its body.
pub struct Impl<'a> {
    pub of: &'a str,
    pub methods: Vec<&'a str>,
    body: &'a [String],
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("the sources are there").map(|entry| entry.expect("it is readable").path());
    entries
        .flat_map(|path| if path.is_dir() { paths(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Every file of `src/`.
pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("it is readable");
        let text = text.split("\n#[cfg(test)]").next().expect("a split has a first part");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let path = path.strip_prefix(&root).expect("it is below the root").to_string_lossy().replace('\\', "/");
        Source { path, tokens: tokens(&code), code }
    };
    paths(&root).into_iter().map(read).collect()
}

/// Identifiers and single punctuation marks; strings and characters are left out.
fn tokens(code: &str) -> Vec<String> {
    let letters: Vec<char> = code.chars().collect();
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        if is_word(letter) {
            let end = (at..letters.len()).find(|end| !is_word(letters[*end])).unwrap_or(letters.len());
            tokens.push(letters[at..end].iter().collect());
            at = end;
        } else if letter == '"' {
            at += 1;
            while at < letters.len() && letters[at] != '"' {
                at += if letters[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if letter == '\'' && letters.get(at + 1) == Some(&'\\') {
            at = (at + 3..letters.len()).find(|end| letters[*end] == '\'').map_or(letters.len(), |end| end + 1);
        } else if letter == '\'' && letters.get(at + 2) == Some(&'\'') {
            at += 3;
        } else {
            if letter == '/' && letters.get(at + 1) == Some(&'/') {
                at = (at..letters.len()).find(|end| letters[*end] == '\n').unwrap_or(letters.len());
            } else if !letter.is_whitespace() {
                tokens.push(letter.to_string());
            }
            at += 1;
        }
    }
    tokens
}

/// Where the bracket that opens at `open` is closed.
fn closing(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "{" | "(" | "[" | "<" => depth += 1,
            // The arrow of a function's result closes nothing.
            ">" if tokens[at - 1] == "-" || tokens[at - 1] == "=" => {}
            "}" | ")" | "]" | ">" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

/// Where the block that opens at `open` is closed. Comparisons inside it may look like brackets.
fn closing_brace(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        depth += match token.as_str() {
            "{" => 1,
            "}" => -1,
            _ => 0,
        };
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

impl Source {
    fn token(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", String::as_str)
    }

    /// What follows `crate::` wherever the file names it, e.g. `broker::lease::room::Lease`.
    pub fn imports(&self) -> Vec<String> {
        let mut found = Vec::new();
        for at in (0..self.tokens.len()).filter(|at| self.token(*at) == "crate") {
            self.follow(at + 1, String::new(), &mut found);
        }
        found
    }

    /// Follows a path from the `::` at `at`; where it goes on.
    fn follow(&self, mut at: usize, mut path: String, found: &mut Vec<String>) -> usize {
        while self.token(at) == ":" && self.token(at + 1) == ":" {
            at += 2;
            if self.token(at) == "{" {
                let end = closing_brace(&self.tokens, at);
                at += 1;
                while at < end {
                    let name = self.token(at).to_owned();
                    at = self.follow(at + 1, format!("{path}::{name}"), found);
                    // Over `as name`, and the comma.
                    at = (at..=end).find(|next| [",", "}"].contains(&self.token(*next))).unwrap_or(end) + 1;
                }
                return end;
            }
            path = format!("{path}::{}", self.token(at));
            at += 1;
        }
        if !path.is_empty() {
            found.push(path.trim_start_matches(':').to_owned());
        }
        at
    }

    /// The structs with named fields.
    pub fn structs(&self) -> Vec<(&str, Vec<Field>)> {
        let mut found = Vec::new();
        for at in (0..self.tokens.len()).filter(|at| self.token(*at) == "struct") {
            let mut open = at + 2;
            if self.token(open) == "<" {
                open = closing(&self.tokens, open) + 1;
            }
            if self.token(open) == "{" {
                found.push((self.token(at + 1), self.fields(open)));
            }
        }
        found
    }

    fn fields(&self, open: usize) -> Vec<Field> {
        let end = closing_brace(&self.tokens, open);
        let (mut at, mut fields) = (open + 1, Vec::new());
        while at < end {
            while self.token(at) == "#" {
                at = closing(&self.tokens, at + 1) + 1;
            }
            let mut visibility = String::new();
            if self.token(at) == "pub" {
                visibility.push_str("pub");
                at += 1;
                if self.token(at) == "(" {
                    let close = closing(&self.tokens, at);
                    visibility.push_str(&self.tokens[at..=close].concat());
                    at = close + 1;
                }
            }
            let (name, begin) = (self.token(at).to_owned(), at + 2);
            at = begin;
            while at < end && self.token(at) != "," {
                at = if ["<", "(", "["].contains(&self.token(at)) { closing(&self.tokens, at) } else { at } + 1;
            }
            fields.push(Field { name, visibility, kind: self.tokens[begin..at.min(end)].to_vec() });
            at += 1;
        }
        fields
    }

    /// The `impl` blocks of types; those of traits are left out.
    pub fn impls(&self) -> Vec<Impl<'_>> {
        let mut found = Vec::new();
        // Elsewhere `impl` stands before a trait, as the type of a value.
        let is_item = |at: usize| at == 0 || ["}", "]", ";"].contains(&self.token(at - 1));
        for at in (0..self.tokens.len()).filter(|at| self.token(*at) == "impl" && is_item(*at)) {
            let mut name = at + 1;
            if self.token(name) == "<" {
                name = closing(&self.tokens, name) + 1;
            }
            let mut open = name + 1;
            if self.token(open) == "<" {
                open = closing(&self.tokens, open) + 1;
            }
            if self.token(open) == "{" {
                let body = &self.tokens[open..closing_brace(&self.tokens, open)];
                let methods = body.windows(2).filter(|pair| pair[0] == "fn").map(|pair| pair[1].as_str()).collect();
                found.push(Impl { of: self.token(name), methods, body });
            }
        }
        found
    }

    /// Every `name.method(` of the file.
    pub fn calls(&self) -> BTreeSet<(&str, &str)> {
        calls(&self.tokens)
    }
}

impl Impl<'_> {
    /// The methods that this block calls on `self` or `Self`.
    pub fn own_calls(&self) -> BTreeSet<&str> {
        let associated = self.body.windows(5).filter(|part| part[0] == "Self" && part[1] == ":" && part[4] == "(");
        let methods = calls(self.body).into_iter().filter(|(on, _)| *on == "self").map(|(_, method)| method);
        methods.chain(associated.map(|part| part[3].as_str())).collect()
    }
}

/// Every `name.method(`; `name.clone().method(` counts as that, too.
fn calls(tokens: &[String]) -> BTreeSet<(&str, &str)> {
    let mut found = BTreeSet::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| *token == ".") {
        let word = |index: usize| tokens.get(index).map_or("", String::as_str);
        if at == 0 || word(at + 2) != "(" {
            continue;
        }
        found.insert((word(at - 1), word(at + 1)));
        if word(at + 1) == "clone" && word(at + 3) == ")" && word(at + 4) == "." && word(at + 6) == "(" {
            found.insert((word(at - 1), word(at + 5)));
        }
    }
    found
}

/// The file that a path after `crate::` leads to.
pub fn file_of(path: &str, files: &BTreeSet<&str>) -> Option<String> {
    let first = path.split("::").next().expect("a split has a first part");
    let names = if BASE.contains(&first) { format!("base::{path}") } else { path.to_owned() };
    let mut folder = String::new();
    for name in names.split("::") {
        if files.contains(format!("{folder}{name}.rs").as_str()) {
            return Some(format!("{folder}{name}.rs"));
        }
        folder = format!("{folder}{name}/");
        if !files.iter().any(|file| file.starts_with(&folder)) {
            return None;
        }
    }
    None
}

/// The type that a field of this kind holds, behind an `Arc` or not.
pub fn held_type(kind: &[String]) -> &str {
    let holders = ["Arc", "Weak", "Box", "<"];
    kind.iter().find(|token| !holders.contains(&token.as_str())).map_or("", String::as_str)
}

/// For each type its methods, and for each of these the files that define it.
pub fn methods(sources: &[Source]) -> BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> {
    let mut found: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for source in sources {
        for block in source.impls() {
            for method in &block.methods {
                found.entry(block.of).or_default().entry(method).or_default().insert(&source.path);
            }
        }
    }
    found
}
