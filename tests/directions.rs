//! The directions of the crate's map: which module may name which.

use std::fs;
use std::path::{Path, PathBuf};

/// A module, and the modules of this crate that it may name. Nothing may name `binding`.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("ids", &[]),
    ("limits", &[]),
    ("clock", &[]),
    ("backoff", &[]),
    ("level", &[]),
    ("lock", &[]),
    ("sync", &[]),
    ("error", &[]),
    ("config", &[]),
    ("wire", &["ids", "limits", "error", "config", "clock"]),
    ("transport", &["wire", "ids", "limits", "error", "config", "clock", "backoff"]),
    ("coordination", &["ids", "error", "config", "clock", "backoff"]),
    (
        "broker",
        &[
            "transport",
            "coordination",
            "wire",
            "ids",
            "limits",
            "error",
            "config",
            "clock",
            "backoff",
            "level",
            "lock",
            "sync",
        ],
    ),
    (
        "binding",
        &[
            "broker",
            "transport",
            "coordination",
            "wire",
            "ids",
            "limits",
            "error",
            "config",
            "clock",
            "backoff",
            "level",
            "lock",
        ],
    ),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("the sources are there").map(|entry| entry.expect("it is readable").path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The module of this crate that a file belongs to, from its path.
fn module(path: &Path, root: &Path) -> String {
    let inner = path.strip_prefix(root).expect("it is below the root");
    let mut names = inner.iter().map(|name| name.to_string_lossy().trim_end_matches(".rs").to_owned());
    let first = names.next().expect("a file has a name");
    // The modules of `base` are named as if they were modules of the crate: `crate::ids`.
    match first.as_str() {
        "base" => names.next().filter(|name| name != "mod").unwrap_or(first),
        _ => first,
    }
}

/// The modules that a text names by `crate::`.
fn named(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let names = code.split("crate::").skip(1);
    names.map(|rest| rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()).collect()
}

#[test]
fn every_module_names_only_what_lies_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in sources(&root) {
        let module = module(&path, &root);
        if module == "lib" || module == "build" {
            continue;
        }
        let (_, allowed) = MAY_NAME.iter().find(|(name, _)| *name == module).unwrap_or_else(|| {
            panic!("the module \"{module}\" has no place in the map: add it to src/lib.rs and to this test")
        });
        for name in named(&fs::read_to_string(&path).expect("it is readable")) {
            seen += 1;
            if name != module && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(seen > 100, "only {seen} names were found: the test reads the sources wrongly");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_binding_names_node_api() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let outside =
        sources(&root).into_iter().filter(|path| !["binding", "build"].contains(&module(path, &root).as_str()));
    let wrong: Vec<_> =
        outside.filter(|path| fs::read_to_string(path).expect("it is readable").contains("napi::")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
