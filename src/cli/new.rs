//! `new`: a folder with a function to start from, which builds with the commands in its README. The files stand in
//! `guests/templates`, as they are but for the name; the handler's world comes from `wit/`. Talks to no server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::error::Error;
use super::output::{self, Output};
use crate::model::names::FunctionName;

/// What the function is called in the templates.
const NAME_IN_TEMPLATES: &str = "fresh-function";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct New {
    /// What to write it in
    #[arg(long, value_name = "LANGUAGE")]
    lang: Language,
    /// What to call the function, and the folder that is made here
    name: FunctionName,
}

const HELP: &str = "\
The function reads JSON, answers, and shows how to fail for now and for good. The commands that build, deploy and \
invoke it are printed and stand in its README.md, with what the language can and cannot do.

What building needs:
  rust    rustup and its target wasm32-unknown-unknown
  c       make, clang with wasm-ld and the runtime library for wasm32, and wasi-libc; or wasi-sdk
  js      Node.js 18 or newer, with npm
  python  Python 3.10 or newer, with venv and pip";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// Rust, with serde
    Rust,
    /// C, with its own few lines of JSON
    C,
    #[value(help = "JavaScript, run by QuickJS")]
    Js,
    #[value(help = "Python, run by CPython")]
    Python,
}

/// A file of a new folder: where it stands in it, and what is in it.
struct File {
    path: &'static str,
    content: &'static [u8],
}

macro_rules! files {
    ($($path:literal from $source:literal),* $(,)?) => {
        &[$(File { path: $path, content: include_bytes!(concat!("../../", $source)) }),*]
    };
}

/// In every folder: the world that its function is written for.
const WORLD: &[File] = files!["wit/function.wit" from "wit/function.wit"];

const RUST: &[File] = files![
    "README.md" from "guests/templates/rust/README.md",
    "Cargo.toml" from "guests/templates/rust/Cargo.toml",
    "Cargo.lock" from "guests/templates/rust/Cargo.lock",
    ".cargo/config.toml" from "guests/templates/rust/.cargo/config.toml",
    ".gitignore" from "guests/templates/rust/.gitignore",
    "src/lib.rs" from "guests/templates/rust/src/lib.rs",
];

/// With the world in C, which takes a tool to make.
const C: &[File] = files![
    "README.md" from "guests/templates/c/README.md",
    "Makefile" from "guests/templates/c/Makefile",
    ".gitignore" from "guests/templates/c/.gitignore",
    "handler.c" from "guests/templates/c/handler.c",
    "json.c" from "guests/templates/c/json.c",
    "json.h" from "guests/templates/c/json.h",
    "component" from "guests/templates/c/component",
    "handler.tail" from "guests/templates/c/handler.tail",
    "bindings/function.c" from "guests/c/upper/function.c",
    "bindings/function.h" from "guests/c/upper/function.h",
    "bindings/function_component_type.o" from "guests/c/upper/function_component_type.o",
];

const JS: &[File] = files![
    "README.md" from "guests/templates/js/README.md",
    "package.json" from "guests/templates/js/package.json",
    "package-lock.json" from "guests/templates/js/package-lock.json",
    ".gitignore" from "guests/templates/js/.gitignore",
    "handler.js" from "guests/templates/js/handler.js",
];

const PYTHON: &[File] = files![
    "README.md" from "guests/templates/python/README.md",
    "requirements.txt" from "guests/templates/python/requirements.txt",
    ".gitignore" from "guests/templates/python/.gitignore",
    "handler.py" from "guests/templates/python/handler.py",
];

/// What was made, for programs.
#[derive(Serialize)]
struct Made<'a> {
    function: &'a str,
    folder: PathBuf,
    files: Vec<&'static str>,
    commands: Vec<&'a str>,
}

impl New {
    /// Makes the folder, and says what to do in it.
    pub(super) fn run(&self, output: Output) -> Result<(), Error> {
        let name = self.name.as_str();
        let folder = Path::new(name);
        fs::create_dir(folder).map_err(|cause| no_folder(name, cause))?;
        let readme = self.fill(folder).inspect_err(|_| {
            // What is left of it would be in the way of the next try. It is ours alone, and the error is already told.
            let _ = fs::remove_dir_all(folder);
        })?;

        let commands = commands(&readme);
        if output.json {
            let made = Made {
                function: name,
                folder: fs::canonicalize(folder).map_err(|cause| unwritable(folder, cause))?,
                files: self.lang.files().map(|file| file.path).collect(),
                commands: commands.lines().filter(|line| !line.starts_with('#')).collect(),
            };
            return output::line(&serde_json::json!(made).to_string());
        }
        output::line(&format!("# made the folder {name}; its README.md says more\ncd {name}\n{commands}"))
    }

    /// Writes the files, and returns the text of the README.
    fn fill(&self, folder: &Path) -> Result<String, Error> {
        for file in self.lang.files() {
            let path = folder.join(file.path);
            let folder = path.parent().unwrap_or(folder);
            fs::create_dir_all(folder).map_err(|cause| unwritable(folder, cause))?;
            fs::write(&path, self.named(file)).map_err(|cause| unwritable(&path, cause))?;
        }
        let readme = folder.join("README.md");
        fs::read_to_string(&readme).map_err(|cause| Error::Unreadable { path: readme, cause })
    }

    /// The content of a file, with the function's name; what is no text is left as it is.
    fn named(&self, file: &File) -> Vec<u8> {
        let name = self.name.as_str();
        match str::from_utf8(file.content) {
            // Cargo takes no dot in the name of a package; what it builds has another name anyway.
            Ok(text) if file.path.starts_with("Cargo.") => {
                text.replace(NAME_IN_TEMPLATES, &name.replace('.', "-")).into_bytes()
            }
            Ok(text) => text.replace(NAME_IN_TEMPLATES, name).into_bytes(),
            Err(_) => file.content.to_vec(),
        }
    }
}

impl Language {
    fn files(self) -> impl Iterator<Item = &'static File> {
        let own = match self {
            Self::C => C,
            Self::Js => JS,
            Self::Python => PYTHON,
            Self::Rust => RUST,
        };
        own.iter().chain(WORLD)
    }
}

/// The commands in a README: its one block of shell.
fn commands(readme: &str) -> &str {
    let block = readme.split_once("```sh\n").map_or("", |(_, rest)| rest);
    block.split_once("```").map_or(block, |(commands, _)| commands)
}

fn no_folder(name: &str, cause: io::Error) -> Error {
    if cause.kind() == io::ErrorKind::AlreadyExists {
        return Error::Usage(format!("`{name}` is already here: choose another name, or make it in another folder"));
    }
    unwritable(Path::new(name), cause)
}

fn unwritable(path: &Path, cause: io::Error) -> Error {
    Error::Unwritable { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = (Language, &'static File)> {
        Language::value_variants().iter().flat_map(|language| language.files().map(|file| (*language, file)))
    }

    #[test]
    fn a_name_takes_the_place_of_the_templates_own_everywhere() {
        let mut places = 0;
        for (lang, file) in all() {
            let new = New { lang, name: "Shout_2".parse().unwrap() };
            let (before, after) = (String::from_utf8_lossy(file.content), new.named(file));
            let after = String::from_utf8_lossy(&after);
            assert_eq!(before.matches(NAME_IN_TEMPLATES).count(), after.matches("Shout_2").count(), "{}", file.path);
            assert!(!after.contains(NAME_IN_TEMPLATES), "{}", file.path);
            places += after.matches("Shout_2").count();
        }
        assert!(places > 20, "{places}");
    }

    #[test]
    fn a_function_in_a_package_keeps_its_name_and_cargo_gets_one_that_it_takes() {
        let new = New { lang: Language::Rust, name: "shop.resize".parse().unwrap() };
        for file in RUST.iter().filter(|file| file.path.starts_with("Cargo.")) {
            let text = String::from_utf8(new.named(file)).unwrap();
            assert!(text.contains("\nname = \"shop-resize\"\n") && !text.contains("shop.resize"), "{text}");
        }
        let readme = String::from_utf8(new.named(&RUST[0])).unwrap();
        assert!(readme.contains("function.wasm --name shop.resize\n"), "{readme}");
    }

    /// The files under `folder`, by their paths below it.
    fn files_under(folder: &Path, below: &str) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let found = entries.flat_map(|entry| {
            let path = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() { files_under(&entry.path(), &format!("{path}/")) } else { vec![path] }
        });
        found.collect()
    }

    #[test]
    fn every_file_of_a_template_is_written() {
        for language in Language::value_variants() {
            let name = language.to_possible_value().unwrap().get_name().to_owned();
            let written: Vec<_> = language.files().map(|file| file.path).collect();
            let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/templates").join(name);
            let missing: Vec<_> =
                files_under(&templates, "").into_iter().filter(|path| !written.contains(&path.as_str())).collect();
            assert_eq!(missing, [""; 0], "{language:?}");
        }
    }

    #[test]
    fn every_language_has_one_block_of_commands_that_deploys_what_was_built() {
        for (lang, file) in all().filter(|(_, file)| file.path == "README.md") {
            let readme = str::from_utf8(file.content).unwrap();
            assert_eq!(readme.matches("```sh\n").count(), 1, "{lang:?}");
            let commands = commands(readme);
            assert!(commands.contains("function.wasm --name fresh-function\n"), "{lang:?}: {commands}");
            assert!(!commands.contains('`'), "{lang:?}: {commands}");
        }
    }

    #[test]
    fn what_is_built_is_kept_out_of_the_repository_and_the_world_is_in_it() {
        for language in Language::value_variants() {
            let paths: Vec<_> = language.files().map(|file| file.path).collect();
            for path in ["README.md", ".gitignore", "wit/function.wit"] {
                assert!(paths.contains(&path), "{language:?}: {paths:?}");
            }
        }
    }

    /// What a component has behind its first section, which must be a core module.
    fn behind_the_first_module(component: &[u8]) -> &[u8] {
        assert_eq!(component[..9], *b"\0asm\x0d\0\x01\0\x01");
        let length = component[9..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let size = component[9..9 + length].iter().rev().fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
        &component[9 + length + size..]
    }

    #[test]
    fn what_stands_behind_a_module_in_c_is_what_its_text_gives() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let component = wat::parse_file(root.join("guests/templates/handler.wat")).unwrap();
        let tail = behind_the_first_module(&component);
        let committed = C.iter().find(|file| file.path == "handler.tail").unwrap().content;
        if committed != tail {
            let made = root.join("target/handler.tail");
            fs::write(&made, tail).unwrap();
            panic!("guests/templates/c/handler.tail is not what handler.wat gives; that is now in {}", made.display());
        }
    }

    #[test]
    fn everything_in_the_package_of_the_handlers_world_is_documented() {
        let world = str::from_utf8(WORLD[0].content).unwrap();
        let (mut before, mut undocumented, mut items) = ("", Vec::new(), 0);
        for line in world.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // What ends a block, and what only brings names in or passes them on, needs no words of its own.
            let is_item = !line.starts_with("//") && !line.starts_with('}');
            if is_item && !line.starts_with("use ") && !line.starts_with("export ") {
                items += 1;
                if !before.starts_with("///") {
                    undocumented.push(line);
                }
            }
            before = line;
        }
        assert!(items > 20 && world.contains("package tidemill:function@1."), "{items} items");
        assert_eq!(undocumented, [""; 0]);
        for (at, _) in world.match_indices("-ms: u64") {
            let documentation = world[..at].rsplit("\n\n").next().unwrap();
            assert!(documentation.contains("milliseconds"), "{documentation}");
        }
    }
}
