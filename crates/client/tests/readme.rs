//! The README's example is the one that the crate's documentation compiles.

#[test]
fn the_example_is_compiled() {
    let readme = include_str!("../../../README.md");
    let (_, block) = readme.split_once("```rust\n").expect("an example");
    let (block, _) = block.split_once("```").expect("its end");
    let compiled: String = include_str!("../src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect();
    assert!(compiled.contains(block));
}
