//! Rules that no reviewer has to remember: sizes, headers, who may import whom, and which one file may do what.
//! All the rules are in the tables at the top; a rule that must change is changed there and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a file that is no test, before its unit tests.
const FILE_LINES_MAX: usize = 500;
/// Most lines of a function.
const FUNCTION_LINES_MAX: usize = 70;

/// Which crates of ours each crate may depend on (design.md, Rooms). Dev-dependencies count as well.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("larder-protocol", &[]),
    ("larder-store", &[]),
    ("larder-runtime", &["larder-protocol", "larder-store"]),
    ("larderd", &["larder-runtime"]),
    ("larder-client", &["larder-protocol"]),
    ("larder", &["larder-client"]),
    ("larder-bench", &["larder-protocol", "larder-client"]),
];

/// The folders of the daemon's crates, for the rules about one file each.
const DAEMON_CRATES: &[&str] = &[
    "crates/protocol",
    "crates/store",
    "crates/runtime",
    "crates/daemon",
];

/// What only one file of the daemon's crates may do, and the words that show it.
const ONE_FILE: &[(&str, &[&str])] = &[
    ("hold mio's Poll", &["mio::Poll", "Poll::new"]),
    ("read and write sockets", &["TcpStream", "UnixStream"]),
    (
        "share memory between threads",
        &["Mutex", "RwLock", "sync::atomic", "Atomic"],
    ),
    (
        "ask the system for the time",
        &["Instant::now", "SystemTime::now"],
    ),
];

/// Where store and protocol may meet: nowhere but here.
const MEETING_PLACE: &str = "crates/runtime/src/execute";
const MEETING_WORDS: (&str, &str) = ("larder_store", "larder_protocol");

/// Words that no source of ours may hold outside this file, and what to do in place of it.
const BANNED: &[(&str, &str)] = &[
    ("todo!", "finish it or leave it out"),
    ("unimplemented!", "finish it or leave it out"),
    ("FIXME", "mend it, or open an issue"),
    ("XXX", "mend it, or open an issue"),
    ("#[ignore", "a test runs or it is removed"),
    ("unsafe {", "there is none"),
    ("unsafe fn", "there is none"),
    ("unsafe impl", "there is none"),
    ("allow(unsafe_code)", "there is none"),
    ("dbg!", "take it out"),
];

/// What stands above a test.
const TEST_MARKS: &[&str] = &["#[test]", "#[tokio::test"];

/// A source file of ours.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The lines before the unit tests at the end of the file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(i, line)| (i + 1, line));
        numbered.take_while(|(_, line)| *line != "#[cfg(test)]")
    }

    fn belongs_to_tests(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "benches")
    }

    fn belongs_to_daemon(&self) -> bool {
        !self.belongs_to_tests()
            && DAEMON_CRATES
                .iter()
                .any(|folder| self.path.starts_with(&format!("{folder}/")))
    }
}

#[test]
fn files_are_short_and_say_their_job() {
    let mut faults = Vec::new();
    for source in sources() {
        let lines = source.code().count();
        if lines > FILE_LINES_MAX && !source.belongs_to_tests() {
            faults.push(format!(
                "{}: {lines} lines, {FILE_LINES_MAX} at most",
                source.path
            ));
        }
        if !source.text.starts_with("//! ") {
            faults.push(format!(
                "{}: does not begin with `//!` and its one job",
                source.path
            ));
        }
    }
    none(&faults);
}

/// rustfmt puts a function's last brace under its first word, which makes its end easy to find.
#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (start, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| begins_function(line))
        {
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = format!("{indent}}}");
            let len = lines[start..]
                .iter()
                .position(|line| *line == end)
                .map_or(1, |i| i + 1);
            let one_line = line.ends_with('}') || line.ends_with(';');
            if !one_line && len > FUNCTION_LINES_MAX {
                faults.push(format!(
                    "{}:{}: {len} lines, {FUNCTION_LINES_MAX} at most",
                    source.path,
                    start + 1
                ));
            }
        }
    }
    none(&faults);
}

fn begins_function(line: &str) -> bool {
    let mut words = line
        .trim_start()
        .split(' ')
        .filter(|word| !word.starts_with("pub"));
    words.find(|word| !matches!(*word, "const" | "async" | "extern" | "unsafe")) == Some("fn")
}

#[test]
fn banned_words() {
    let mut faults = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.path != "tests/tidy.rs")
    {
        for (number, line) in source.text.lines().enumerate() {
            for (word, instead) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
                faults.push(format!(
                    "{}:{}: {word} ({instead})",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_test_program_has_a_test() {
    let is_program = |path: &str| match path.split('/').collect::<Vec<_>>()[..] {
        [.., "tests", file] => file.ends_with(".rs"),
        [.., "tests", _, "main.rs"] => true,
        _ => false,
    };
    let all = sources();
    let empty = all
        .iter()
        .filter(|source| is_program(&source.path))
        .filter(|program| {
            let folder = program
                .path
                .strip_suffix("/main.rs")
                .map(|folder| format!("{folder}/"));
            let mut parts = all.iter().filter(|part| {
                part.path == program.path
                    || folder
                        .as_ref()
                        .is_some_and(|folder| part.path.starts_with(folder))
            });
            !parts.any(|part| TEST_MARKS.iter().any(|mark| part.text.contains(mark)))
        });
    let faults: Vec<String> = empty
        .map(|program| format!("{}: not one #[test]", program.path))
        .collect();
    none(&faults);
}

#[test]
fn crates_import_only_what_they_may() {
    let mut faults = Vec::new();
    for (name, imports) in imports_of_ours() {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(of, _)| *of == name) else {
            faults.push(format!(
                "{name}: a crate that the table of imports does not know"
            ));
            continue;
        };
        for import in imports
            .iter()
            .filter(|import| !allowed.contains(&import.as_str()))
        {
            faults.push(format!("{name} must not depend on {import}"));
        }
    }
    none(&faults);
}

/// The fuzz targets have a lock file of their own, which nobody thinks of when a crate gets a new dependency.
#[test]
fn fuzz_targets_lock_what_crates_depend_on() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a file of ours");
    let locked = read("fuzz/Cargo.lock");
    let mut faults = Vec::new();
    for crate_name in ["protocol", "store", "runtime"] {
        let manifest = read(&format!("crates/{crate_name}/Cargo.toml"));
        let wanted = manifest
            .lines()
            .skip_while(|line| *line != "[dependencies]");
        let wanted = wanted.skip(1).take_while(|line| !line.starts_with('['));
        let names = wanted.filter(|line| line.starts_with(char::is_alphabetic));
        let block = locked
            .split("\n\n")
            .find_map(|block| block.split_once(&format!("name = \"larder-{crate_name}\"\n")));
        let (_, block) = block.expect("the crate is locked");
        for name in names.filter_map(|line| line.split([' ', '.', '=']).next()) {
            if !block.contains(&format!("\"{name}\"")) {
                let mend =
                    "cargo check --manifest-path fuzz/Cargo.toml, and commit fuzz/Cargo.lock";
                faults.push(format!(
                    "larder-{crate_name}'s {name} is not locked: {mend}"
                ));
            }
        }
    }
    none(&faults);
}

#[test]
fn one_file_each() {
    let sources = sources();
    let mut faults = Vec::new();
    for (what, words) in ONE_FILE {
        let doers: BTreeSet<&str> = sources
            .iter()
            .filter(|source| source.belongs_to_daemon())
            .filter(|source| {
                without_comments(source).any(|line| words.iter().any(|word| line.contains(word)))
            })
            .map(|source| source.path.as_str())
            .collect();
        if doers.is_empty() {
            faults.push(format!(
                "no file seems to {what}: the rule's words no longer show it"
            ));
        }
        if doers.len() > 1 {
            faults.push(format!("only one file may {what}, and these do: {doers:?}"));
        }
    }
    none(&faults);
}

#[test]
fn store_and_protocol_meet_in_one_place() {
    let (store, protocol) = MEETING_WORDS;
    let mentions =
        |source: &Source, word: &str| without_comments(source).any(|line| line.contains(word));
    let meet = |source: &&Source| mentions(source, store) && mentions(source, protocol);
    let sources = sources();
    let elsewhere = sources
        .iter()
        .filter(meet)
        .filter(|source| !source.path.starts_with(MEETING_PLACE));
    let faults: Vec<String> = elsewhere
        .filter(|source| source.path != "tests/tidy.rs")
        .map(|source| format!("{}: names both", source.path))
        .collect();
    none(&faults);
}

/// Lines of code, without unit tests and without lines that are only comments.
fn without_comments(source: &Source) -> impl Iterator<Item = &str> {
    source
        .code()
        .map(|(_, line)| line)
        .filter(|line| !line.trim_start().starts_with("//"))
}

fn none(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust source of the workspace.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["crates", "tests", "benches", "fuzz"] {
        walk(&root().join(folder), &mut found);
    }
    let rust = found
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let sources: Vec<Source> = rust
        .map(|path| Source {
            text: fs::read_to_string(&path).expect("a source file"),
            path: relative(&path),
        })
        .collect();
    assert!(
        sources.len() > 20,
        "the sources were found: {}",
        sources.len()
    );
    sources
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.expect("a folder's entry").path()) {
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => walk(&path, found),
            false => found.push(path),
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .expect("below the root")
        .to_string_lossy()
        .into_owned()
}

/// Each crate of the workspace by name, and those of ours that its Cargo.toml names as dependencies of any kind.
fn imports_of_ours() -> BTreeMap<String, BTreeSet<String>> {
    let mut manifests = vec![root().join("Cargo.toml")];
    let folders = fs::read_dir(root().join("crates")).expect("the crates");
    let paths = folders.map(|entry| entry.expect("a folder's entry").path().join("Cargo.toml"));
    manifests.extend(paths.filter(|path| path.exists()));
    manifests
        .iter()
        .map(|path| imports(&fs::read_to_string(path).expect("a manifest")))
        .collect()
}

fn imports(manifest: &str) -> (String, BTreeSet<String>) {
    let (mut section, mut name, mut ours) = (String::new(), String::new(), BTreeSet::new());
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']').to_owned();
            // A dependency may also be a section of its own.
            if let Some((kind, dependency)) = section.rsplit_once('.')
                && is_dependencies(kind)
                && dependency.starts_with("larder")
            {
                ours.insert(dependency.to_owned());
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim().split('.').next().unwrap_or_default();
            if section == "package" && key == "name" {
                name = value.trim().trim_matches('"').to_owned();
            }
            if is_dependencies(&section) && key.starts_with("larder") {
                ours.insert(key.to_owned());
            }
        }
    }
    (name, ours)
}

fn is_dependencies(section: &str) -> bool {
    section.ends_with("dependencies") && !section.starts_with("workspace")
}
