//! A folder as code: a zip of what is in it, the same for the same files. Which of them is the module is for the server to find.

use std::fs::{self, File};
use std::io::{self, Cursor, Seek, Write};
use std::path::{Path, PathBuf};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::cli::error::Error;
use crate::cli::units;

/// Files in a folder: as many as the server takes of a zip.
const MAX_FILES: usize = 10_000;
/// Bytes of a zip: the server's limit of content.
const MAX_BYTES: u64 = 50 * 1_024 * 1_024;
/// Folders in each other: a link that leads back ends here.
const MAX_DEPTH: usize = 32;

/// The zip of a folder.
pub(super) fn zipped(folder: &Path) -> Result<Vec<u8>, Error> {
    zipped_within(folder, MAX_BYTES)
}

fn zipped_within(folder: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let mut files = Vec::new();
    find(folder, MAX_DEPTH, &mut files)?;
    files.sort();
    let mut writer = ZipWriter::new(Limited { inner: Cursor::new(Vec::new()), most });
    for path in &files {
        let unreadable = |cause| Error::Unreadable { path: path.clone(), cause };
        writer
            .start_file(name(folder, path)?, SimpleFileOptions::default())
            .map_err(|error| unreadable(error.into()))?;
        io::copy(&mut File::open(path).map_err(unreadable)?, &mut writer).map_err(unreadable)?;
    }
    let finished =
        writer.finish().map_err(|error| Error::Unreadable { path: folder.to_owned(), cause: error.into() })?;
    Ok(finished.inner.into_inner())
}

/// Every file in a folder and in those within it.
fn find(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |cause| Error::Unreadable { path, cause }
    };
    if depth == 0 {
        return Err(Error::Usage(format!(
            "{} is {MAX_DEPTH} folders deep: code has at most so many",
            folder.display()
        )));
    }
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let about = fs::metadata(&path).map_err(unreadable(&path))?;
        if about.is_dir() {
            find(&path, depth - 1, files)?;
        } else if about.is_file() {
            files.push(path);
        } else {
            return Err(Error::Usage(format!("{} is neither a file nor a folder", path.display())));
        }
        if files.len() > MAX_FILES {
            return Err(Error::Usage(format!(
                "there are more than {MAX_FILES} files: the code of a function has fewer"
            )));
        }
    }
    Ok(())
}

/// What a file is called in the zip: its path from the folder, with slashes.
fn name(folder: &Path, path: &Path) -> Result<String, Error> {
    let parts = path.strip_prefix(folder).unwrap_or(path).iter().map(|part| part.to_str());
    let parts: Option<Vec<_>> = parts.collect();
    let parts = parts.ok_or_else(|| Error::Usage(format!("{} has a name that is no UTF-8", path.display())))?;
    Ok(parts.join("/"))
}

/// What takes no more than a zip may have.
struct Limited {
    inner: Cursor<Vec<u8>>,
    /// In bytes.
    most: u64,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.inner.position() + bytes.len() as u64 > self.most {
            let most = units::show_size(self.most);
            return Err(io::Error::other(format!("with it the zip of the folder has more than {most}")));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Limited {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::ZipArchive;

    #[test]
    fn a_zip_has_the_files_of_a_folder_by_their_paths_and_is_the_same_for_the_same_files() {
        let folder = tempfile::TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("lib/deep")).unwrap();
        for (name, text) in [("b.wasm", "module"), ("lib/deep/a.txt", ""), ("lib/z", "z")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let zip = zipped(folder.path()).unwrap();
        let mut archive = ZipArchive::new(Cursor::new(&zip)).unwrap();
        let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["b.wasm", "lib/deep/a.txt", "lib/z"]);
        let module = io::read_to_string(archive.by_name("b.wasm").unwrap()).unwrap();
        assert_eq!((module.as_str(), zipped(folder.path()).unwrap()), ("module", zip));
    }

    #[test]
    fn a_folder_that_is_too_large_or_leads_back_into_itself_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        assert!(zipped(folder.path()).unwrap_err().to_string().contains("32 folders deep"));
        fs::remove_file(folder.path().join("again")).unwrap();
        for name in ["a", "b"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        assert!(zipped_within(folder.path(), 1_024).is_ok());
        let refused = zipped_within(folder.path(), 64).unwrap_err();
        assert!(crate::cli::error::innermost(&refused).contains("more than 64 B"), "{refused:?}");
    }
}
