//! The directions of the crate's map: which module, and which room of the broker, may name and call which; how large a type
//! may be; and that no file needs itself through others.

#[path = "directions/source.rs"]
mod source;

use source::{file_of, held_type, methods, sources, Source};
use std::collections::{BTreeMap, BTreeSet};

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

/// The rooms of the broker, the lower ones first: each may name itself and those before it. The files beside them wire the
/// rooms and may name all.
const ROOMS: &[&str] =
    &["js", "context", "lease", "membership", "calls", "output", "directory", "activation", "messaging"];

/// Fields that a struct has at most, and files that the `impl` of a type is spread over at most.
const MAX_FIELDS: usize = 15;
const MAX_FILES: usize = 4;
/// Structs with more fields, and why.
const LARGE: &[(&str, &str)] = &[
    ("BrokerConfig", "the options as the application gives them: it is read and never changes"),
    ("Tables", "the registry in memory: one field a key of Redis"),
];

/// Types whose methods are in more files, and why.
const SPREAD: &[(&str, &str)] =
    &[("Client", "one file for each group of operations that the coordinator's contract has")];

/// What makes a field state: it can be changed through a shared reference.
const STATE: &[&str] = &["Mutex", "RwLock", "Notify", "OnceLock", "Sender", "Cell", "RefCell"];

fn room(path: &str) -> Option<&str> {
    let (room, _) = path.strip_prefix("broker/")?.split_once('/')?;
    Some(room)
}

fn rank(room: &str) -> usize {
    ROOMS.iter().position(|known| *known == room).unwrap_or_else(|| {
        panic!("the room \"{room}\" of the broker has no place: add it to src/broker/mod.rs and to this test")
    })
}

#[test]
fn every_room_names_only_rooms_below_it() {
    let mut wrong = Vec::new();
    for source in &sources() {
        let Some(own) = room(&source.path) else { continue };
        for import in source.imports() {
            let Some(rest) = import.strip_prefix("broker::") else { continue };
            let named = rest.split("::").next().expect("a split has a first part");
            if !ROOMS.contains(&named) || rank(named) > rank(own) {
                wrong.push(format!("src/{} names {import}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "A room of src/broker names what lies above it:\n{wrong:#?}");
}

#[test]
fn the_state_of_a_room_is_private() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("broker/")) {
        for (name, fields) in source.structs() {
            for field in fields {
                let is_state =
                    field.kind.iter().any(|token| STATE.contains(&token.as_str()) || token.starts_with("Atomic"));
                if is_state && !["", "pub(super)"].contains(&field.visibility.as_str()) {
                    wrong.push(format!("src/{}: {name}.{} is {}", source.path, field.name, field.visibility));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "State can be changed from outside its room:\n{wrong:#?}");
}

#[test]
fn no_struct_has_more_than_15_fields() {
    let sources = sources();
    let structs: Vec<_> =
        sources.iter().flat_map(|source| source.structs().into_iter().map(|found| (&source.path, found))).collect();
    assert!(structs.len() > 100, "only {} structs were found: the test reads the sources wrongly", structs.len());
    let is_listed = |name: &str| LARGE.iter().any(|(listed, _)| *listed == name);
    let large = structs.iter().filter(|(_, (name, fields))| fields.len() > MAX_FIELDS && !is_listed(name));
    let wrong: Vec<_> =
        large.map(|(path, (name, fields))| format!("src/{path}: {name} has {}", fields.len())).collect();
    assert!(wrong.is_empty(), "A struct has more than {MAX_FIELDS} fields:\n{wrong:#?}");
}

#[test]
fn the_methods_of_a_type_are_in_at_most_four_files() {
    let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let sources = sources();
    for source in &sources {
        for block in source.impls() {
            files.entry(block.of).or_default().insert(&source.path);
        }
    }
    files.retain(|of, files| files.len() > MAX_FILES && SPREAD.iter().all(|(listed, _)| listed != of));
    assert!(files.is_empty(), "The impl of a type is spread over more than {MAX_FILES} files:\n{files:#?}");
}

/// Which files each file needs: those that it names, and those whose methods it calls on itself or on a handle, a field
/// of the broker whose name stands for one type only.
fn needs(sources: &[Source]) -> BTreeMap<&str, BTreeSet<String>> {
    let files: BTreeSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let methods = methods(sources);
    let mut handles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let broker = sources.iter().filter(|source| source.path.starts_with("broker/"));
    for (_, fields) in broker.flat_map(Source::structs) {
        for field in fields {
            handles.entry(field.name).or_default().insert(held_type(&field.kind).to_owned());
        }
    }
    handles.retain(|_, types| types.len() == 1);
    let mut needs: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let needed = needs.entry(&source.path).or_default();
        needed.extend(source.imports().iter().filter_map(|import| file_of(import, &files)));
        let defined = |of: &str, method: &str| methods.get(of).and_then(|methods| methods.get(method));
        let own = source.impls().into_iter().flat_map(|block| {
            block.own_calls().into_iter().map(|method| (block.of, method.to_owned())).collect::<Vec<_>>()
        });
        let on_handles = source.calls().into_iter().filter_map(|(handle, method)| {
            Some((handles.get(handle)?.first().expect("it has one").as_str(), method.to_owned()))
        });
        let called: Vec<_> = own.chain(on_handles).collect();
        for (of, method) in called {
            let definitions = defined(of, &method).filter(|definitions| !definitions.contains(source.path.as_str()));
            needed.extend(definitions.into_iter().flatten().map(|file| (*file).to_owned()));
        }
        needed.remove(source.path.as_str());
    }
    needs
}

#[test]
fn no_file_of_the_broker_calls_a_method_of_a_room_above_it() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (file, needed) in needs(&sources) {
        let Some(own) = room(file) else { continue };
        for other in needed.iter().filter(|other| other.starts_with("broker/")) {
            if room(other).is_none_or(|above| rank(above) > rank(own)) {
                wrong.push(format!("src/{file} needs src/{other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_needs_itself_through_others() {
    let sources = sources();
    let mut needs = needs(&sources);
    assert!(needs.values().map(BTreeSet::len).sum::<usize>() > 500, "the test reads the sources wrongly");
    // What needs nothing that is left is in no circle.
    loop {
        let left: BTreeSet<String> = needs.keys().map(|file| (*file).to_owned()).collect();
        let before = needs.len();
        needs.retain(|_, needed| needed.iter().any(|other| left.contains(other)));
        if needs.len() == before {
            break;
        }
    }
    assert!(needs.is_empty(), "These files need each other, or need some that do:\n{:#?}", needs.keys());
}

/// The module of this crate that a file belongs to. Those of `base` are named as if they were modules of the crate.
fn module(path: &str) -> &str {
    let mut names = path.split('/').map(|name| name.trim_end_matches(".rs"));
    let first = names.next().expect("a file has a name");
    match first {
        "base" => names.next().filter(|name| *name != "mod").unwrap_or(first),
        _ => first,
    }
}

#[test]
fn every_module_names_only_what_lies_below_it() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in &sources() {
        let module = module(&source.path);
        if module == "lib" || module == "build" {
            continue;
        }
        let (_, allowed) = MAY_NAME.iter().find(|(name, _)| *name == module).unwrap_or_else(|| {
            panic!("the module \"{module}\" has no place in the map: add it to src/lib.rs and to this test")
        });
        for import in source.imports() {
            seen += 1;
            let name = import.split("::").next().expect("a split has a first part");
            if name != module && !allowed.contains(&name) {
                wrong.push(format!("src/{} names {name}", source.path));
            }
        }
    }
    assert!(seen > 100, "only {seen} names were found: the test reads the sources wrongly");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_binding_names_node_api() {
    let sources = sources();
    let outside = sources.iter().filter(|source| !["binding", "build"].contains(&module(&source.path)));
    let wrong: Vec<_> = outside.filter(|source| source.code.contains("napi::")).map(|source| &source.path).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
