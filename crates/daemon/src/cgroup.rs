//! The memory that the process's control group allows it: a container's limit, which `-m` should stay below.

use std::fs;
use std::path::{Path, PathBuf};

use crate::settings::{Settings, in_units};

/// Warns when `-m` is more than the control group allows.
pub(crate) fn warn_of_limit(settings: &Settings) {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    match memory_limit(Path::new("/sys/fs/cgroup"), &groups) {
        Some(limit) if limit < settings.memory_limit => log::warn!(
            "-m {} is more than the {} that the control group allows: the kernel will kill larderd before -m is \
             reached",
            in_units(settings.memory_limit),
            in_units(limit)
        ),
        _ => {}
    }
}

/// The least limit that stands in the way, of version 1 or 2. `groups` is the text of /proc/self/cgroup.
fn memory_limit(root: &Path, groups: &str) -> Option<u64> {
    groups
        .lines()
        .filter_map(|line| {
            // hierarchy-id:controllers:path, where version 2 has the id 0 and no controllers.
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            match controllers {
                "" => Some((root.to_owned(), "memory.max", path)),
                _ if controllers.split(',').any(|name| name == "memory") => {
                    Some((root.join("memory"), "memory.limit_in_bytes", path))
                }
                _ => None,
            }
        })
        .flat_map(|(mount, file, path)| limits(mount, file, path))
        .min()
}

/// The limits of a group and of those around it. A container sees only some of them; what is missing, or `max`,
/// limits nothing.
fn limits(mount: PathBuf, file: &'static str, path: &str) -> Vec<u64> {
    Path::new(path)
        .ancestors()
        .filter_map(|group| {
            let group = group.strip_prefix("/").unwrap_or(group);
            let text = fs::read_to_string(mount.join(group).join(file)).ok()?;
            text.trim().parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        put("a/memory.max", "500\n");
        put("a/b/memory.max", "max\n");
        put("a/c/memory.max", "400\n");
        put("memory/memory.limit_in_bytes", "9223372036854771712\n");
        put("memory/d/memory.limit_in_bytes", "300\n");
        let table = [
            ("0::/\n", None),
            ("0::/a/b\n", Some(500)),
            ("0::/a/c\n", Some(400)),
            ("0::/elsewhere/a\n", None),
            ("5:cpu:/\n4:memory:/d\n1:name=systemd:/a/c\n", Some(300)),
            (
                "4:hugetlb,memory:/hidden/from/the/container\n",
                Some(9_223_372_036_854_771_712),
            ),
            ("4:memory:/d\n0::/a/c\n", Some(300)),
            ("", None),
            ("nonsense", None),
        ];
        for (groups, expected) in table {
            assert_eq!(memory_limit(root, groups), expected, "{groups:?}");
        }
    }
}
