//! What the tests of all groups share: rows gathered, and a snapshot whose every number is another.

use std::fmt::Display;

use larder_runtime::EmitRow;

/// All rows that `emit` words.
pub(crate) fn rows(emit: impl FnOnce(&mut EmitRow<'_>)) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    emit(&mut |name: &str, value: &dyn Display| rows.push((name.to_owned(), value.to_string())));
    rows
}

/// Their names.
pub(crate) fn names(emit: impl FnOnce(&mut EmitRow<'_>)) -> Vec<String> {
    rows(emit).into_iter().map(|(name, _)| name).collect()
}

/// One row's value.
pub(crate) fn value_of(name: &str, emit: impl FnOnce(&mut EmitRow<'_>)) -> String {
    let found = rows(emit).into_iter().find(|(row, _)| row == name);
    found.unwrap_or_else(|| panic!("no row {name}")).1
}
