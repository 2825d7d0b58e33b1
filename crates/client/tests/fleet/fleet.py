"""What the fleet's members in Python share: the file of items, and the word at the end."""
import sys


def play(verb, file, write, read):
    """Writes the items of FILE, or reads them, and prints how many; ends at the first that fails."""
    with open(file, "rb") as lines:
        items = [line.rstrip(b"\n").split(b"\t") for line in lines]
    for key, value in items:
        done = write(key, value) if verb == "write" else read(key) == value
        if not done:
            sys.exit(f"{verb} {key!r}")
    print(verb, len(items))
