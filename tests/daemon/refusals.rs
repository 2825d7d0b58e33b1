//! What larderd prints and refuses without serving: texts, exit codes, the configuration file's bad lines.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::daemon::{folder, run};
use crate::support::is_root;

#[test]
fn texts_are_printed_and_end_well() {
    let table = [
        ("-h", "-m, --memory-limit=<num>"),
        ("--help", "Suboptions of -o:"),
        ("-V", "(memcached 1.6.45)"),
        ("--version", "larderd "),
        ("-i", "MIT license"),
        ("--sample-config", "#-m 1g"),
    ];
    for (option, words) in table {
        let outcome = run(&[option]);
        assert_eq!(outcome.status.code(), Some(0), "{option}");
        assert!(
            outcome.output.contains(words),
            "{option}: {}",
            outcome.output
        );
    }
    let version = run(&["-V"]).output;
    let expected = format!("larderd {} (memcached 1.6.45)\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(version, expected);
}

#[test]
fn exit_codes_are_memcacheds() {
    let table: &[(&[&str], i32)] = &[
        (&["-x"], 1),
        (&["-c", "0"], 1),
        (&["-t", "0"], 1),
        (&["-R", "0"], 1),
        (&["-f", "1"], 1),
        (&["-o", "foo"], 1),
        (&["-o", "hashpower"], 1),
        (&["-D"], 1),
        (&["-p", "70000"], 64),
        (&["-m", "1"], 64),
        (&["-I", "10"], 64),
        (&["-B", "foo"], 64),
        (&["-Z"], 64),
        (&["-S"], 64),
        (&["-Y", "/no/such/file"], 1),
        (&["-e", "/tmp/file"], 64),
        (&["-o", "temporary_ttl=5,no_lru_maintainer"], 64),
        (&["-l", "no.such.name.invalid"], 71),
        (&["-l", "notls:127.0.0.1"], 71),
        (&["-l", "192.0.2.1", "-p", "-1"], 71),
        (&["-c", "2000000000"], 71),
        (&["-s", "/no/such/folder/socket"], 71),
    ];
    for (args, code) in table {
        let outcome = run(args);
        assert_eq!(
            outcome.status.code(),
            Some(*code),
            "{args:?}: {}",
            outcome.output
        );
        assert!(
            outcome.output.contains("larderd: "),
            "{args:?}: {}",
            outcome.output
        );
    }
}

#[test]
fn refused_options_are_named_in_one_sentence() {
    let table: &[(&[&str], &str)] = &[
        (
            &["-Z"],
            "larderd: -Z needs -o ssl_chain_cert=<file>\nlarderd: -Z needs -o ssl_key=<file>\n",
        ),
        (
            &["--enable-sasl"],
            "larderd: -S needs -Y <file>: users of the binary protocol are in that file, too\n",
        ),
        (
            &["-o", "proxy_config=/x"],
            "larderd: -o: proxy_config: larderd is no proxy\n",
        ),
        (
            &["-o", "ext_path=/x:1G"],
            "larderd: -o: ext_path: larderd never writes items to a file, so there is no external storage\n",
        ),
    ];
    for (args, sentence) in table {
        assert_eq!(run(args).output, *sentence, "{args:?}");
    }
}

#[test]
fn unknown_users_are_refused_when_root() {
    let outcome = run(&["-u", "no-such-user", "--check-config"]);
    let expected = if is_root() { 67 } else { 0 };
    assert_eq!(outcome.status.code(), Some(expected), "{}", outcome.output);
}

#[test]
fn every_bad_line_of_a_file_is_named() {
    let folder = folder();
    let path = folder.path().join("conf");
    fs::write(&path, "-m 64\nmemory-limit x\n# fine\n-e /x\nnonsense\n").expect("a file");
    let path = path.to_str().expect("a plain name");
    for args in [
        &["--config", path][..],
        &["--check-config", "--config", path],
    ] {
        let outcome = run(args);
        // The first line's refusal decides.
        assert_eq!(outcome.status.code(), Some(64));
        let expected = [
            format!("larderd: {path}:2: -m: `x` is not a size"),
            format!("larderd: {path}:4: -e: larderd never writes items"),
            format!("larderd: {path}:5: --nonsense: unknown option"),
        ];
        let lines: Vec<_> = outcome.output.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{}", outcome.output);
        for (line, beginning) in lines.iter().zip(&expected) {
            assert!(line.starts_with(beginning.as_str()), "{line}");
        }
    }
}

#[test]
fn all_that_is_wrong_is_told_in_one_run_with_its_line() {
    let folder = folder();
    let path = folder.path().join("conf");
    let text = "-l 127.0.0.1,no.such.name.invalid\n-l [::1\n-u no-such-user\n-I 40m\n-Z\n\
                -o ssl_chain_cert=/no/such/cert,ssl_key=/no/such/key\n-o foo,hashpower=1,bar\n\
                -s /tmp/x -p 24117\n-Y /no/such/users\n";
    fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("a plain name");
    let mut expected = vec![
        "7: -o: Illegal suboption \"foo\"",
        "7: -o: hashpower: ",
        "7: -o: Illegal suboption \"bar\"",
        "8: -s: `-p` begins a second option: write one option a line",
        "4: -I 40m is more than half of -m 64m",
        "1: -l no.such.name.invalid: cannot be looked up",
        "2: -l [::1: the bracket [ is not closed",
        "6: -Z: Error loading the certificate chain",
        "9: -Y: /no/such/users",
    ];
    if is_root() {
        expected.insert(7, "3: -u no-such-user: there is no such user");
    }
    // A start that cannot be tells the same.
    for args in [
        &["--check-config", "--config", path][..],
        &["--config", path],
    ] {
        let outcome = run(args);
        assert_eq!(outcome.status.code(), Some(1), "the first decides");
        let told = outcome.output.lines();
        let told: Vec<_> = told.filter(|line| line.starts_with("larderd: ")).collect();
        assert_eq!(told.len(), expected.len(), "{}", outcome.output);
        for (line, beginning) in told.iter().zip(&expected) {
            let beginning = format!("larderd: {path}:{beginning}");
            assert!(line.starts_with(&beginning), "{line} is no {beginning}");
        }
    }
}

#[test]
fn who_was_denied_a_file_is_told() {
    if !is_root() {
        eprintln!("not root: nobody goes on as somebody else");
        return;
    }
    let folder = folder();
    let mode = |path: &Path, bits| {
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).expect("chmod");
    };
    mode(folder.path(), 0o700);
    let socket = folder.path().join("socket");
    let outcome = run(&["-s", socket.to_str().expect("a plain name")]);
    assert_eq!(outcome.status.code(), Some(71));
    let words = "as nobody, whom root has gone on as: give nobody that right, or another user";
    assert!(outcome.output.contains(words), "{}", outcome.output);

    // What root has read before is there, and will not be seen to change.
    let users = folder.path().join("users");
    fs::write(&users, "ann:one\n").expect("a file");
    mode(&users, 0o600);
    let users = users.to_str().expect("a plain name");
    let unread = "users was read by root, and nobody cannot read it";
    for (user, told) in [("nobody", true), ("root", false)] {
        let outcome = run(&["--check-config", "-Y", users, "-u", user]);
        assert!(outcome.status.success(), "{}", outcome.output);
        assert_eq!(outcome.output.contains(unread), told, "{}", outcome.output);
    }
}

#[test]
fn nothing_that_moves_a_terminal_is_printed() {
    let folder = folder();
    let path = folder.path().join("conf");
    fs::write(&path, b"-m 64\n\x1b[31mred\n").expect("a file");
    let path = path.to_str().expect("a plain name");
    let table: &[(&[&str], &str)] = &[
        (
            &["--config", path],
            "conf: is no text: line 2 holds the byte 0x1b",
        ),
        (&["-m", "\x1b[31m"], "`\\u{1b}[31m` is not a size"),
        (&["\x07word"], "`\\u{7}word` is no option"),
    ];
    for (args, sentence) in table {
        let outcome = run(args);
        assert!(!outcome.status.success());
        assert!(outcome.output.contains(sentence), "{}", outcome.output);
        let moves = |c: char| c.is_control() && c != '\n';
        assert!(!outcome.output.contains(moves), "{:?}", outcome.output);
    }
}

#[test]
fn check_config_judges_and_exits() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/memcached.conf.example");
    let table: &[(&[&str], i32)] = &[
        (&["--check-config"], 0),
        (&["--check-config", "--config", example], 0),
        (&["--check-config", "-m", "128", "-I", "2m"], 0),
        (&["--check-config", "-m", "1"], 64),
        (&["--check-config", "-l", "no.such.name.invalid"], 71),
        (&["--check-config", "--config", "/no/such/file"], 1),
    ];
    for (args, code) in table {
        let outcome = run(args);
        assert_eq!(
            outcome.status.code(),
            Some(*code),
            "{args:?}: {}",
            outcome.output
        );
    }
}
