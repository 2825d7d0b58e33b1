//! The users file: read at the start and whenever it changes, all of it or nothing. What its lines can say the runtime
//! knows, whose gate it is for; `password` knows how passwords are kept.

pub(crate) mod password;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use larder_runtime::{EntryId, Gate, UsersFile};

use self::password::Password;
use crate::limits::USERS_FILE_MAX;
use crate::refusal::Refusal;
use crate::secret::{self, Stamp};
use crate::settings::Settings;

type List = UsersFile<Password>;

/// The users in force.
pub(crate) struct Users {
    path: PathBuf,
    allow_world_readable: bool,
    gate: Arc<Gate>,
    in_force: ArcSwap<InForce>,
}

/// What one reading has brought. It is replaced as a whole.
struct InForce {
    file: Arc<List>,
    /// The file when it was last read, with or without success.
    stamp: Stamp,
    figures: UsersFigures,
}

/// What `stats` says of the users file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UsersFigures {
    /// How many users there are.
    pub(crate) users: usize,
    /// How often the file was read anew with success, and without.
    pub(crate) reloads: u64,
    pub(crate) refused: u64,
}

impl Users {
    /// Reads the file, if one is named. A bad one is refused with memcached's exit code.
    pub(crate) fn load(settings: &Settings) -> Result<Option<Self>, Refusal> {
        let Some(path) = &settings.users_file else {
            return Ok(None);
        };
        let stamp = secret::stamp(path);
        let allow_world_readable = settings.allow_world_readable_secrets;
        let file = read(path, allow_world_readable).map_err(|why| Refusal::value(why).at("-Y"))?;
        let gate = Gate::new(file.admitted(Password::id), settings.sasl);
        let figures = UsersFigures {
            users: file.count(),
            ..UsersFigures::default()
        };
        let in_force = ArcSwap::from_pointee(InForce {
            file: Arc::new(file),
            stamp,
            figures,
        });
        Ok(Some(Self {
            path: path.clone(),
            allow_world_readable,
            gate: Arc::new(gate),
            in_force,
        }))
    }

    /// What the runtime lets clients in by.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is another than that which was read last, as far as it can be seen.
    pub(crate) fn file_changed(&self) -> bool {
        let stamp = secret::stamp(&self.path);
        secret::have_changed(&[self.in_force.load().stamp], &[stamp])
    }

    /// Reads the file anew: all is good and goes into force, or the old stays. Only one thread may call this at a time.
    pub(crate) fn reload(&self) {
        let old = self.in_force.load_full();
        let stamp = secret::stamp(&self.path);
        let mut figures = old.figures;
        let file = match read(&self.path, self.allow_world_readable) {
            Ok(file) => {
                inherit(&file, &old.file);
                // The gate first: who is judged meanwhile by the old file comes in only by what is in both.
                self.gate.replace(file.admitted(Password::id));
                figures.users = file.count();
                figures.reloads += 1;
                log::info!("users are read anew and in force: {}", file.count());
                Arc::new(file)
            }
            Err(why) => {
                log::warn!("users stay as they were: {why}");
                figures.refused += 1;
                Arc::clone(&old.file)
            }
        };
        self.in_force.store(Arc::new(InForce {
            file,
            stamp,
            figures,
        }));
    }

    /// The entry whose password this is, if it is one of the user's. Where there are hashes, a wrong password takes one for
    /// everybody, so that the time does not tell whether the name is somebody's; but a user of several hashes takes several.
    pub(crate) fn check(&self, name: &[u8], password: &[u8]) -> Option<EntryId> {
        let file = Arc::clone(&self.in_force.load().file);
        let listed = file.passwords(name);
        if let Some(known) = known_in(listed, password) {
            return Some(known.id());
        }
        let right = listed.iter().find(|one| one.is_by_hash(password));
        if !listed.iter().any(Password::is_hashed) {
            let decoy = file
                .all_passwords()
                .flat_map(|(_, all)| all)
                .find(|one| one.is_hashed());
            _ = decoy.map(|decoy| decoy.is_by_hash(password));
        }
        right.map(Password::id)
    }

    /// The same as far as it can be told without a hash.
    pub(crate) fn known(&self, name: &[u8], password: &[u8]) -> Option<EntryId> {
        let file = Arc::clone(&self.in_force.load().file);
        known_in(file.passwords(name), password).map(Password::id)
    }

    /// For `stats`.
    pub(crate) fn figures(&self) -> UsersFigures {
        self.in_force.load().figures
    }
}

/// The one of these that this is, as far as it can be told without a hash.
fn known_in<'a>(listed: &'a [Password], password: &[u8]) -> Option<&'a Password> {
    // Made for names that are nobody's, too.
    let given = password::digest(password);
    listed.iter().find(|one| one.is_known(&given))
}

/// What was found in an earlier reading is known of the entries that are still there: nobody waits for a hash anew.
fn inherit(file: &List, earlier: &List) {
    for (name, passwords) in file.all_passwords() {
        for one in passwords {
            for other in earlier.passwords(name) {
                one.inherit(other);
            }
        }
    }
}

/// Reads all of it, only if it is a secret.
fn read(path: &Path, allow_world_readable: bool) -> Result<List, String> {
    let name = path.display();
    let unreadable = |error| format!("{name} cannot be read: {error}");
    // A pipe would be waited for.
    if fs::metadata(path).is_ok_and(|file| !file.is_file()) {
        return Err(format!("{name} is no regular file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    if !allow_world_readable {
        secret::check(&file).map_err(|why| format!("{name}: {why}"))?;
    }
    let mut text = Vec::new();
    file.take(USERS_FILE_MAX + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > USERS_FILE_MAX {
        return Err(format!("{name} is longer than {USERS_FILE_MAX} bytes"));
    }
    List::read(&text, Password::read).map_err(|why| format!("{name}: {why}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    impl Users {
        fn lets_in(&self, name: &[u8], password: &[u8]) -> bool {
            self.check(name, password).is_some()
        }
    }

    /// A file of users, and what is read from it.
    fn users(text: &str) -> (TempDir, Users) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("users");
        write(&path, text);
        let settings = Settings {
            users_file: Some(path),
            ..Settings::default()
        };
        let users = Users::load(&settings).expect("good").expect("users");
        (folder, users)
    }

    fn write(path: &Path, text: &str) {
        fs::write(path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("chmod");
    }

    #[test]
    fn any_password_of_a_user_is_right_and_no_other() {
        let hashed = password::hash(b"hashed").expect("a hash");
        let (_folder, users) = users(&format!("ann:one\nann:two\nbob:{hashed}\n"));
        assert!(users.lets_in(b"ann", b"one") && users.lets_in(b"ann", b"two"));
        assert!(users.lets_in(b"bob", b"hashed") && users.lets_in(b"bob", b"hashed"));
        for (name, password) in [
            (&b"ann"[..], &b"three"[..]),
            (b"bob", b"one"),
            (b"bob", hashed.as_bytes()),
            (b"eve", b"hashed"),
            (b"", b""),
        ] {
            assert!(!users.lets_in(name, password), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn a_bad_file_changes_nothing() {
        let (folder, users) = users("ann:one\n");
        let path = folder.path().join("users");
        assert!(!users.file_changed());
        for bad in ["ann:new\nbob\n", "ann:new\nbob:$argon2id$\n"] {
            write(&path, bad);
            assert!(users.file_changed());
            users.reload();
            assert!(!users.file_changed());
            assert!(users.lets_in(b"ann", b"one") && !users.lets_in(b"ann", b"new"));
        }
        write(&path, "bob:new\n");
        users.reload();
        assert!(users.lets_in(b"bob", b"new") && !users.lets_in(b"ann", b"one"));
        let UsersFigures {
            users,
            reloads,
            refused,
        } = users.figures();
        assert_eq!((users, reloads, refused), (1, 1, 2));
    }

    #[test]
    fn a_file_that_anybody_may_read_is_refused_with_its_mode() {
        let (folder, users) = users("ann:one\n");
        let path = folder.path().join("users");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        let why = read(&path, false).err().expect("a refusal");
        assert!(
            why.contains("users: anybody may read it (mode 0644)"),
            "{why}"
        );
        assert!(read(&path, true).is_ok());
        users.reload();
        assert_eq!(users.figures().refused, 1);
    }
}
