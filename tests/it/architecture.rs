//! The house is built as `src/lib.rs` says: layers, who may name which crate, what is pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rooms from the top down: each imports from those below it only.
const LAYERS: [&str; 15] = [
    "main", "lambda", "import", "check", "aws", "settings", "kind", "resolve", "report", "state", "connect", "store",
    "input", "options", "outcome",
];

/// Who may name a crate: folders, or files.
const CRATES: [(&str, &[&str]); 16] = [
    ("lambda_runtime", &["main.rs", "lambda/handler.rs"]),
    ("aws_lambda_events", &["lambda/event.rs"]),
    ("aws_config", &["main.rs"]),
    ("aws_sdk_connect", &["aws.rs", "connect/mod.rs", "connect/sdk/"]),
    ("aws_sdk_servicequotas", &["aws.rs", "connect/mod.rs", "connect/sdk/"]),
    ("aws_sdk_s3", &["aws.rs", "store/s3/"]),
    ("aws_sdk_eventbridge", &["aws.rs", "lambda/event_bus.rs"]),
    ("aws_sdk_sns", &["aws.rs", "lambda/topic.rs"]),
    ("aws_sdk_sqs", &["aws.rs", "lambda/queue.rs"]),
    ("json_subscriber", &["lambda/log.rs"]),
    ("tracing_subscriber", &["lambda/log.rs"]),
    ("governor", &["connect/rate.rs"]),
    ("calamine", &["input/workbook.rs"]),
    ("zip", &["input/workbook.rs"]),
    ("csv", &["report/plain.rs", "report/table.rs"]),
    ("tracing", &["main.rs", "lambda/", "import/", "report/write.rs"]),
];

/// What is not async.
const PURE: [&str; 41] = [
    "lambda/event.rs",
    "lambda/metrics.rs",
    "lambda/notice.rs",
    "check/finding.rs",
    "import/end.rs",
    "import/export/told.rs",
    "import/request.rs",
    "import/trigger.rs",
    "import/guard.rs",
    "input/",
    "outcome/",
    "options.rs",
    "settings.rs",
    "resolve/suggest.rs",
    "report/mod.rs",
    "report/causes.rs",
    "report/details.rs",
    "report/facts.rs",
    "report/page.rs",
    "report/pictures.rs",
    "report/plain.rs",
    "report/summary.rs",
    "report/table.rs",
    "report/text.rs",
    "report/words.rs",
    "connect/quotas.rs",
    "state/entry.rs",
    "state/record.rs",
    "state/seen/record.rs",
    "state/replay.rs",
    "kind/cells.rs",
    "kind/effects.rs",
    "kind/ledger.rs",
    "kind/messages.rs",
    "kind/unassigned.rs",
    "kind/proficiency/torn.rs",
    "kind/proficiency/unassigned.rs",
    "kind/user_config/cells.rs",
    "kind/user_config/conditions.rs",
    "kind/proficiency/row.rs",
    "kind/user_config/row.rs",
];
const PURE_IN_EACH_KIND: [&str; 5] = ["plan.rs", "compare.rs", "words.rs", "describe.rs", "effects.rs"];

/// A file of `src/`, by its path there, without its tests and its comments.
type Sources = BTreeMap<String, String>;

fn sources() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Sources::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.file_name().unwrap().to_str().unwrap().ends_with("tests.rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, code(&std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// The code alone: no tests, no comments.
fn code(text: &str) -> String {
    let tests = text.match_indices("\n#[cfg(test)]\n").find(|(at, found)| {
        let next = text[at + found.len()..].lines().find(|line| !line.starts_with("#[")).unwrap_or_default();
        next.starts_with("mod ") && next.ends_with('{')
    });
    let text = tests.map_or(text, |(at, _)| &text[..at]);
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The modules that a file is in, itself included: `connect/sdk/mod.rs` is `connect::sdk`.
fn module(file: &str) -> Vec<&str> {
    let mut parts: Vec<_> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(parts.last(), Some(&("mod" | "lib"))) {
        parts.pop();
    }
    parts
}

/// All paths in a tree of `use`: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()];
    };
    let head: Vec<String> = paths(head).remove(0);
    let (mut depth, mut item, mut items) = (0, String::new(), Vec::new());
    for letter in rest.trim_end().trim_end_matches('}').chars().chain([',']) {
        match letter {
            ',' if depth == 0 => items.push(std::mem::take(&mut item)),
            _ => {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                item.push(letter);
            }
        }
    }
    let items = items.iter().filter(|item| !item.trim().is_empty()).flat_map(|item| paths(item));
    items.map(|path| head.iter().cloned().chain(path).collect()).collect()
}

/// The `use` statements of a file, as paths from the crate's root, and whether they hand the name on.
fn uses(file: &str, code: &str) -> Vec<(Vec<String>, bool)> {
    let here: Vec<String> = module(file).into_iter().map(str::to_owned).collect();
    let statements = code.split(';').filter_map(|statement| {
        let at = statement.rfind("use ")?;
        let before = statement[..at].rsplit('\n').next().unwrap_or_default().trim();
        let is_use = before.is_empty() || before == "pub" || (before.starts_with("pub(") && before.ends_with(')'));
        is_use.then(|| (&statement[at + 4..], before.starts_with("pub")))
    });
    let mut found = Vec::new();
    for (tree, is_handed_on) in statements {
        for path in paths(tree) {
            let mut base = here.clone();
            let mut rest = path.as_slice();
            match rest.first().map(String::as_str) {
                Some("crate") => {
                    base.clear();
                    rest = &rest[1..];
                }
                Some("self") => rest = &rest[1..],
                _ => {}
            }
            while rest.first().is_some_and(|part| part == "super") {
                base.pop();
                rest = &rest[1..];
            }
            base.extend(rest.iter().cloned());
            found.push((base, is_handed_on));
        }
    }
    found
}

/// Which file each file imports from: the one that defines the name, whatever facade hands it on.
struct Imports<'s> {
    sources: &'s Sources,
    files: BTreeMap<Vec<String>, &'s str>,
    handed_on: BTreeMap<Vec<String>, Vec<String>>,
}

impl<'s> Imports<'s> {
    fn of(sources: &'s Sources) -> Self {
        let path = |file: &str| module(file).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let files = sources.keys().filter(|file| *file != "main.rs").map(|file| (path(file), file.as_str())).collect();
        let mut handed_on = BTreeMap::new();
        for (file, code) in sources {
            for (target, _) in uses(file, code).into_iter().filter(|(_, is_handed_on)| *is_handed_on) {
                let mut name = path(file);
                name.extend(target.last().cloned());
                handed_on.insert(name, target);
            }
        }
        Self { sources, files, handed_on }
    }

    /// The file of a path: that of its longest part that is a module.
    fn file(&self, path: &[String]) -> Option<&'s str> {
        let mut path = path.to_vec();
        while let Some(next) = self.handed_on.get(&path).filter(|next| **next != path) {
            path.clone_from(next);
        }
        while !path.is_empty() {
            if let Some(file) = self.files.get(&path) {
                return Some(file);
            }
            path.pop();
        }
        None
    }

    fn of_file(&self, file: &str) -> BTreeSet<&'s str> {
        let is_facade = file.ends_with("mod.rs") || file == "lib.rs";
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let used = uses(file, &self.sources[file]).into_iter().filter_map(|(path, is_handed_on)| {
            let target = self.file(&path)?;
            let is_own_room = is_facade && is_handed_on && target.starts_with(folder);
            (target != file && !is_own_room).then_some(target)
        });
        used.collect()
    }
}

fn layer(file: &str) -> usize {
    let room = file.split('/').next().unwrap().trim_end_matches(".rs");
    LAYERS.iter().position(|layer| *layer == room).unwrap_or_else(|| panic!("{file} is in no layer"))
}

#[test]
fn imports_go_down_the_layers() {
    let sources = sources();
    let imports = Imports::of(&sources);
    for file in sources.keys().filter(|file| *file != "lib.rs") {
        for target in imports.of_file(file).into_iter().filter(|target| *target != "lib.rs") {
            assert!(layer(file) <= layer(target), "{file} imports {target}, which is above it");
        }
    }
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let sources = sources();
    let imports = Imports::of(&sources);
    for start in sources.keys() {
        let (mut reached, mut waiting) = (BTreeSet::new(), vec![vec![start.as_str()]]);
        while let Some(way) = waiting.pop() {
            for target in imports.of_file(way[way.len() - 1]) {
                assert!(target != start, "a circle: {} -> {start}", way.join(" -> "));
                if reached.insert(target) {
                    waiting.push([way.as_slice(), &[target]].concat());
                }
            }
        }
    }
}

#[test]
fn a_crate_is_named_only_where_it_may_be() {
    for (file, code) in sources() {
        for (name, places) in CRATES {
            let is_named = code.contains(&format!("{name}::")) || code.contains(&format!("use {name}"));
            let may = places.iter().any(|place| file == *place || (place.ends_with('/') && file.starts_with(place)));
            assert!(!is_named || may, "{file} names {name}");
        }
    }
}

#[test]
fn what_is_pure_is_not_async() {
    let is_pure = |file: &str| {
        let of_kind =
            file.starts_with("kind/") && PURE_IN_EACH_KIND.iter().any(|name| file.ends_with(&format!("/{name}")));
        of_kind || PURE.iter().any(|place| file == *place || (place.ends_with('/') && file.starts_with(place)))
    };
    let sources = sources();
    for place in PURE {
        assert!(sources.keys().any(|file| file.starts_with(place)), "there is no {place}");
    }
    for (file, code) in sources.iter().filter(|(file, _)| is_pure(file)) {
        assert!(!code.contains("async ") && !code.contains(".await"), "{file} is async");
    }
}

#[test]
fn no_type_name_stands_twice_and_no_file_is_long() {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (file, code) in sources() {
        assert!(code.lines().count() <= 400, "{file} has {} lines", code.lines().count());
        for line in code.lines() {
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let line =
                if line.starts_with("pub(") { line.split_once(") ").map_or(line, |(_, line)| line) } else { line };
            let named = ["struct ", "enum ", "trait ", "type "].iter().find_map(|word| line.strip_prefix(word));
            let Some(named) = named else { continue };
            let name: String = named.chars().take_while(|letter| letter.is_alphanumeric()).collect();
            if let Some(other) = names.insert(name.clone(), file.clone()) {
                panic!("{name} stands in {other} and in {file}");
            }
        }
    }
}
