//! A disk on which the events of a record happen one by one, and what it may hold when power fails behind one of
//! them: an [`Image`].

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use super::content::{Content, Survival};
use super::names::{Name, Names, Object, Tree};
use super::record::Deed;
use crate::cli::bench::random::Random;

/// The folder that is recorded.
const ROOT: Object = 0;
/// Zeros of this length are left out of a file: most of a prepared one is.
const CHUNK_BYTES: usize = 64 * 1_024;

/// The disk.
#[derive(Debug)]
pub(super) struct Disk {
    objects: Vec<Kind>,
    /// What an inode stands for: the latest file or folder that had it.
    inodes: HashMap<u64, Object>,
    names: Names,
}

#[derive(Debug)]
enum Kind {
    File(Content),
    Folder,
}

/// What the disk holds after a cut: bytes of a file, or none for a folder, by place.
#[derive(Debug)]
pub(super) struct Image {
    tree: Tree,
    files: HashMap<Object, Vec<u8>>,
}

impl Disk {
    /// An empty one, whose root has that inode.
    pub(super) fn new(root: u64) -> Self {
        Self { objects: vec![Kind::Folder], inodes: HashMap::from([(root, ROOT)]), names: Names::default() }
    }

    /// Carries out one event.
    pub(super) fn happen(&mut self, deed: Deed) {
        match deed {
            Deed::CreateFile { inode, path } => self.create(inode, &path, Kind::File(Content::default())),
            Deed::CreateFolder { inode, path } => self.create(inode, &path, Kind::Folder),
            Deed::Write { inode, offset, bytes } => self.file(inode, |file| file.write(offset, bytes)),
            Deed::Resize { inode, bytes } => self.file(inode, |file| file.resize(bytes)),
            Deed::Sync { inode } => match self.inodes.get(&inode) {
                Some(object) if matches!(self.objects[*object], Kind::Folder) => self.names.sync(*object),
                _ => self.file(inode, Content::sync),
            },
            Deed::Rename { from, to } => {
                if let (Some(from), Some(to)) = (self.name(&from), self.name(&to))
                    && let Some(object) = self.names.get(&from)
                {
                    self.names.rename(from, to, object);
                }
            }
            Deed::Remove { path } => {
                if let Some(name) = self.name(&path).filter(|name| self.names.get(name).is_some()) {
                    self.names.remove(name);
                }
            }
            Deed::Link { path, to } => {
                let object = self.name(&path).and_then(|name| self.names.get(&name));
                if let (Some(object), Some(to)) = (object, self.name(&to)) {
                    self.names.add(to, object);
                }
            }
            Deed::Names { inode, names } => self.reconcile(inode, &names),
            Deed::Overflow => (),
        }
    }

    fn create(&mut self, inode: u64, path: &str, kind: Kind) {
        let Some(name) = self.name(path) else { return };
        let object = self.add(inode, kind);
        self.names.add(name, object);
    }

    fn add(&mut self, inode: u64, kind: Kind) -> Object {
        self.objects.push(kind);
        let object = self.objects.len() - 1;
        self.inodes.insert(inode, object);
        object
    }

    fn file(&mut self, inode: u64, change: impl FnOnce(&mut Content)) {
        let object = self.inodes.get(&inode).map(|object| &mut self.objects[*object]);
        if let Some(Kind::File(content)) = object {
            change(content);
        }
    }

    /// The place that a path below the root names.
    fn name(&self, path: &str) -> Option<Name> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folders = folders.split('/').filter(|folder| !folder.is_empty());
        let folder = folders.into_iter().try_fold(ROOT, |folder, name| self.names.get(&(folder, name.to_owned())))?;
        Some((folder, name.to_owned()))
    }

    /// Takes up what the recorder did not see in a folder: names that are gone, have come, or were changed.
    fn reconcile(&mut self, inode: u64, names: &[(u64, String)]) {
        let Some(folder) = self.inodes.get(&inode).copied() else { return };
        let there = |name: &str| names.iter().any(|(_, other)| other == name);
        let mut gone: Vec<(Name, Object)> = self
            .names
            .within(folder)
            .filter(|((_, name), _)| !there(name))
            .map(|(name, object)| (name.clone(), object))
            .collect();
        for (inode, name) in names {
            let name = (folder, name.clone());
            let known = self.inodes.get(inode).copied();
            if known.is_some() && self.names.get(&name) == known {
                continue;
            }
            let object = known.unwrap_or_else(|| self.add(*inode, Kind::File(Content::default())));
            match gone.iter().position(|(_, other)| *other == object) {
                Some(at) => self.names.rename(gone.swap_remove(at).0, name, object),
                None => self.names.add(name, object),
            }
        }
        for (name, _) in gone {
            self.names.remove(name);
        }
    }

    /// What is there after a cut of the power.
    pub(super) fn survive(&self, survival: Survival, random: &mut Random) -> Image {
        let tree = self.names.survive(survival, random);
        let mut files = HashMap::new();
        for object in tree.values() {
            if let Kind::File(content) = &self.objects[*object] {
                files.entry(*object).or_insert_with(|| content.survive(survival, random));
            }
        }
        Image { tree, files }
    }

    /// The first file below `folder` whose bytes are not what the record says: the recorder missed something.
    pub(super) fn differs(&self, folder: &Path) -> io::Result<Option<String>> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let inode = fs::metadata(&path)?.ino();
            let object = self.inodes.get(&inode).map(|object| &self.objects[*object]);
            let same = match object {
                Some(Kind::Folder) => match self.differs(&path)? {
                    None => true,
                    found => return Ok(found),
                },
                Some(Kind::File(content)) => content.whole() == fs::read(&path)?,
                None => false,
            };
            if !same {
                return Ok(Some(path.display().to_string()));
            }
        }
        Ok(None)
    }
}

impl Image {
    /// Writes it to a folder that does not exist yet.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        self.write_folder(ROOT, folder)
    }

    fn write_folder(&self, object: Object, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for ((_, name), inner) in self.tree.range((object, String::new())..(object + 1, String::new())) {
            let path = folder.join(name);
            match self.files.get(inner) {
                Some(bytes) => write_file(bytes, &path)?,
                None => self.write_folder(*inner, &path)?,
            }
        }
        Ok(())
    }
}

fn write_file(bytes: &[u8], path: &Path) -> io::Result<()> {
    let file = File::create(path)?;
    file.set_len(bytes.len() as u64)?;
    let written = |chunk: &[u8]| chunk.iter().any(|byte| *byte != 0);
    let chunks = (0u64..).step_by(CHUNK_BYTES).zip(bytes.chunks(CHUNK_BYTES));
    chunks.into_iter().filter(|(_, chunk)| written(chunk)).try_for_each(|(at, chunk)| file.write_all_at(chunk, at))
}
