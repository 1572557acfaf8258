#!/usr/bin/env python3
"""The boundaries that are read from sources: words that Rust crates must not use, what poms and module-info files may say.
usage: check-boundaries.py FILE…      (every *.rs, pom.xml, module-info.java and *.java that is to be looked at)"""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

# Crate folder -> (paths, words, why). A path is forbidden with everything below it.
CLOCKS = r"\b(SystemTime|Instant)\b"
OUTSIDE = ("net", "fs", "io", "thread", "time", "env", "process", "os")
RUST_RULES = {
    "native/core": [
        (OUTSIDE, CLOCKS, "the core reads no clock, opens nothing and starts nothing; bytes and time come in as arguments"),
        (("collections::HashMap", "collections::HashSet", "collections::hash_map", "collections::hash_set", "hash::RandomState"),
         r"\bHash(Map|Set)\b|\bRandomState\b", "no hash map in the core: its iteration order differs from run to run"),
    ],
    "native/memory": [(("net", "thread", "time"), CLOCKS, "the memory crate knows no clock, no threads and no network")],
}
GROUP = "dev.lodestone"
# Module folder -> artifacts that it may need at compile or run time; None: only the rules for all.
POM_RULES = {
    "native": set(),
    "jextract": set(),
    "java-api": {f"{GROUP}:lodestone-bindings", f"{GROUP}:lodestone-native", "org.snakeyaml:snakeyaml-engine"},
    "cli": {f"{GROUP}:lodestone", "info.picocli:picocli"},
}
# For modules that are not listed above: of this project, the API alone.
OWN_ALLOWED = {f"{GROUP}:lodestone"}
API_REQUIRES = {
    "dev.lodestone.bindings", "dev.lodestone.natives", "org.snakeyaml.engine.v2", "java.management", "jdk.management",
}
API_EXPORTS = {"exports dev.lodestone", "exports dev.lodestone.client"}

problems = []


def blank(match):
    """Spaces in place of a match, so that line numbers stay."""
    return re.sub(r"[^\n]", " ", match[0])


def without_comments(text):
    """Rust source without comments and without what stands in strings and characters."""
    pieces = re.compile(
        r'//[^\n]*|/\*|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?\'(?:\\(?:u\{[^}]*\}|x..|.)|[^\'\\\n])\'', re.S)
    out, at = [], 0
    while (found := pieces.search(text, at)) is not None:
        end = found.end()
        if found[0] == "/*":  # they nest
            depth = 1
            while depth and (mark := re.compile(r"/\*|\*/").search(text, end)) is not None:
                depth += 1 if mark[0] == "/*" else -1
                end = mark.end()
            end = end if depth == 0 else len(text)
        out += [text[at:found.start()], re.sub(r"[^\n]", " ", text[found.start():end])]
        at = end
    return "".join(out) + text[at:]


def block_end(text, brace):
    """Where the block ends whose opening brace is at `brace`."""
    depth = 0
    for index in range(brace, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index + 1
    return len(text)


def split_tests(text):
    """The source without its unit tests, and the names of test modules that live in files of their own."""
    marker = re.compile(
        r"#\[cfg\((?:test|all\(test\b[^\]]*)\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*([{;])")
    names = set()
    while (found := marker.search(text)) is not None:
        end = found.end()
        if found[2] == "{":
            end = block_end(text, found.end() - 1)
        else:
            names.add(found[1])
        text = text[:found.start()] + re.sub(r"[^\n]", " ", text[found.start():end]) + text[end:]
    return text, names


def use_paths(tree):
    """Every full path of a use tree: `std::{time, fs::{self, File}}` -> std::time, std::fs, std::fs::File."""
    tree = tree.strip()
    opening = tree.find("{")
    if opening < 0:
        return [re.sub(r"::self\b", "", re.sub(r"\s*::\s*", "::", tree)).removeprefix("::")]
    prefix, depth, part, paths = tree[:opening], 0, "", []
    for letter in tree[opening + 1:block_end(tree, opening) - 1] + ",":
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            if part.strip():
                paths += use_paths(prefix + part.strip())
            part = ""
        else:
            part += letter
    return paths


def line_of(text, index):
    return text.count("\n", 0, index) + 1


def check_rust(crate, files):
    """The words of one crate; its unit tests are free."""
    sources = {}
    test_files = set()
    for path in files:
        text, names = split_tests(without_comments(path.read_text(encoding="utf-8")))
        sources[path] = text
        home = path.parent if path.stem in ("lib", "main", "mod") else path.parent / path.stem
        test_files |= {file for name in names for file in (home / f"{name}.rs", home / name / "mod.rs")}
    for path, text in sources.items():
        if path in test_files:
            continue
        uses = [(line_of(text, found.start()), used)
                for found in re.finditer(r"\buse\s+([^;]+);", text) for used in use_paths(found[1])]
        for line, used in uses:
            if re.match(r"(std|core|alloc)(::\*$|\s+as\s)", used):
                problems.append(f"{path}:{line}: use {used}: a whole standard library under another name hides what is used")
        for found in re.finditer(r"\bextern\s+crate\b|#\s*!?\[\s*path\b|\binclude\s*!", text):
            problems.append(f"{path}:{line_of(text, found.start())}: {found[0]}: hides what is used")
        for forbidden, words, why in RUST_RULES[crate]:
            pattern = re.compile(r"\bstd\s*::\s*(?:" + "|".join(
                path_.replace("::", r"\s*::\s*") for path_ in forbidden) + r")\b")
            hits = {line_of(text, found.start()) for found in re.finditer(f"{pattern.pattern}|{words}", text)}
            hits |= {line for line, used in uses if pattern.match(used)}
            for line in sorted(hits):
                problems.append(f"{path}:{line}: {why}")


def artifact(dependency):
    return ":".join((dependency.findtext(key) or "").strip() for key in ("groupId", "artifactId"))


def check_pom(path):
    """What a module depends on, in its own section and in those of its profiles."""
    root = ElementTree.parse(path).getroot()
    for element in root.iter():
        element.tag = re.sub(r"^\{.*\}", "", element.tag) if isinstance(element.tag, str) else ""
    module = path.parent.as_posix()
    for home in [root, *root.iterfind("profiles/profile")]:
        for dependency in home.iterfind("dependencies/dependency"):
            name = artifact(dependency).replace("${project.groupId}", GROUP)
            group = name.partition(":")[0]
            for_tests = (dependency.findtext("scope") or "").strip() == "test"
            if "${" in name:
                problems.append(f"{path} depends on {name}: names of dependencies are written out")
            elif name in (f"{GROUP}:lodestone-bridge-tests", f"{GROUP}:lodestone-benchmarks", f"{GROUP}:lodestone-stress-tests"):
                problems.append(f"{path} depends on {name}; nothing may")
            elif module == "." and not for_tests:
                problems.append(f"{path} gives {name} to every module")
            elif module in POM_RULES:
                if not for_tests and name not in POM_RULES[module]:
                    allowed = ", ".join(sorted(POM_RULES[module])) or "nothing"
                    problems.append(f"{path} depends on {name}; allowed besides tests: {allowed}")
            elif group == GROUP and name not in OWN_ALLOWED:
                problems.append(f"{path} depends on {name}; of this project only {GROUP}:lodestone may be used")


def java_code(path):
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, path.read_text(encoding="utf-8"), flags=re.S)


def check_module(path):
    """The directives of a module-info file, however they are laid out."""
    text = re.sub(r"@\w+(\s*\([^)]*\))?", " ", java_code(path))
    found = re.search(r"\b(open\s+)?module\s+([\w.]+)\s*\{(.*)\}", text, re.S)
    if found is None:
        problems.append(f"{path} cannot be read")
        return
    if found[1]:
        problems.append(f"{path} is an open module")
    name = found[2]
    for directive in (re.sub(r"\s*,\s*", ",", " ".join(part.split())) for part in found[3].split(";")):
        words = directive.split()
        if not words:
            continue
        required = words[-1] if words[0] == "requires" else None
        if words[0] == "opens":
            bad = True
        elif name == "dev.lodestone.bindings":
            bad = directive != "exports dev.lodestone.bindings to dev.lodestone"
        elif name == "dev.lodestone.natives":
            bad = True
        elif name == "dev.lodestone":
            bad = required not in API_REQUIRES if required else words[0] != "exports" or directive not in API_EXPORTS
        else:
            bad = required in ("dev.lodestone.bindings", "dev.lodestone.natives") or ".internal" in directive
        if bad:
            problems.append(f"{path}: module {name} must not say '{directive}'")


RING_BENCHMARK = "benchmarks/src/main/java/dev/lodestone/benchmarks/rings"


def check_java(path):
    """Nobody but the API, the bindings themselves and the tests of both together names the packages behind the API; and the
    benchmark of rings, which measures a ring with the engine's end of it and no engine behind, a thing that no user can have."""
    if path.is_relative_to(RING_BENCHMARK):
        return
    text = java_code(path)
    for found in re.finditer(r"\bdev\s*\.\s*lodestone\s*\.\s*(bindings|internal)\b", text):
        problems.append(f"{path}:{line_of(text, found.start())}: only java-api may use dev.lodestone.{found[1]}")


def main():
    files = [pathlib.Path(argument) for argument in sys.argv[1:]]
    for crate in RUST_RULES:
        sources = [path for path in files if path.suffix == ".rs" and path.as_posix().startswith(f"{crate}/src/")]
        if not sources:
            problems.append(f"{crate} has no sources")
        check_rust(crate, sources)
    for path in files:
        top = path.parts[0]
        if path.name == "pom.xml":
            check_pom(path)
        elif path.name == "module-info.java":
            check_module(path)
        elif path.suffix == ".java" and top not in ("jextract", "java-api", "bridge-tests", "stress-tests"):
            check_java(path)
    for needed in ("jextract/src/main/java/module-info.java", "java-api/src/main/java/module-info.java"):
        if pathlib.Path(needed) not in files:
            problems.append(f"{needed} is missing")
    for problem in problems:
        print(f"check-boundaries.py: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
