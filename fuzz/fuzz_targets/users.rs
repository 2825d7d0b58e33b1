//! The text of a users file, whatever it is: it is refused with a line's number or read, and then it says the same however
//! its lines end and whatever comments stand among them.

#![no_main]

use larder_runtime::{Admitted, Gate, UsersFile, judge_name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    match read(text) {
        Err(why) => {
            let lines = text.split(|&byte| byte == b'\n').count();
            let number = why
                .strip_prefix("line ")
                .and_then(|rest| rest.split_once(": "));
            if let Some((number, _)) = number {
                let number: usize = number.parse().expect("a number");
                assert!((1..=lines).contains(&number), "{why}");
            }
        }
        Ok(admitted) => {
            for user in &admitted.users {
                assert_eq!(judge_name(&user.name), Ok(()));
                assert!(user.certs.iter().all(|cert| !cert.is_empty()));
            }
            let names = admitted.users.windows(2);
            assert!(names.into_iter().all(|two| two[0].name < two[1].name));
            let lines = text.split(|&byte| byte == b'\n');
            let lines: Vec<&[u8]> = lines
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                .collect();
            // A carriage return that is a password's last byte could be taken for a part of the line's end.
            if !lines.iter().any(|line| line.ends_with(b"\r")) {
                for end in [&b"\n"[..], b"\r\n", b"\n# a comment: of nobody\n\n"] {
                    assert_eq!(read(&lines.join(end)).as_ref(), Ok(&admitted));
                }
            }
            let open = lines.iter().any(|line| line.starts_with(b"@default"));
            assert!(open || admitted.strangers.is_none());
            Gate::new(admitted, true);
        }
    }
});

/// Whom a file of this text admits; a password that is no text is a bad one.
fn read(text: &[u8]) -> Result<Admitted, String> {
    let password = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err("no text".to_owned()),
    };
    UsersFile::read(text, password).map(|file| file.admitted(|_| 0))
}
