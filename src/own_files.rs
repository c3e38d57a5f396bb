//! Files and folders that this program makes: for the owner and the group, never through a symbolic link.

use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// The group may read, nobody else: histories and mails hold URLs with what is secret in them.
pub const FILE_MODE: u32 = 0o640;
/// The same for folders.
pub const FOLDER_MODE: u32 = 0o750;

/// `/etc/group` and `/etc/passwd` of a large site have some thousand lines.
const USERS_FILE_BYTES_MAX: u64 = 4 << 20;

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Of an open file.
    ///
    /// # Errors
    /// What the system answers.
    pub fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::of_metadata(&metadata))
    }

    /// Of what has this name now, a link being a file of its own; `None` if nothing has it.
    ///
    /// # Errors
    /// What the system answers, but that there is nothing.
    pub fn at(path: &Path) -> io::Result<Option<Self>> {
        match path.symlink_metadata() {
            Ok(metadata) => Ok(Some(Self::of_metadata(&metadata))),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(error),
            },
        }
    }

    fn of_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// The inode's number.
    pub const fn inode(self) -> u64 {
        self.inode
    }
}

/// Whether the name itself is a symbolic link.
pub fn is_link(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|metadata| metadata.file_type().is_symlink())
}

/// Makes a file that is not there yet, for writing and reading.
///
/// # Errors
/// There is something of that name, a link too; or what the system answers.
pub fn create_new(path: &Path) -> io::Result<File> {
    open(path, OFlags::CREATE | OFlags::EXCL)
}

/// Takes from an open file of ours what others than its owner may do with it.
///
/// # Errors
/// What the system answers.
pub fn for_owner_alone(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Opens a file for writing and reading, and makes it if it is not there. One that was there keeps its mode.
///
/// # Errors
/// It is a link or no regular file; or what the system answers.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    match open(path, OFlags::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match open(path, OFlags::CREATE | OFlags::EXCL) {
                // Made by somebody else in between.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    open(path, OFlags::empty())
                }
                opened => opened,
            }
        }
        opened => opened,
    }
}

fn open(path: &Path, how: OFlags) -> io::Result<File> {
    // NONBLOCK: a pipe of that name must not hold us up.
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | how;
    let file = File::from(rustix::fs::open(
        path,
        flags,
        Mode::from_raw_mode(FILE_MODE),
    )?);
    if how.contains(OFlags::CREATE) {
        // The umask may have taken the group's bit.
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    } else if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Makes a folder with those above it. Those that exist stay as they are; a linked one is fine.
///
/// # Errors
/// What the system answers.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let mut missing: Vec<&Path> = Vec::new();
    for above in path.ancestors() {
        if above.as_os_str().is_empty() || above.is_dir() {
            break;
        }
        missing.push(above);
    }
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
            Ok(()) => group_may_enter(folder)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Made by somebody else in between is fine, a file in the way is not.
                if !folder.is_dir() {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The umask may have taken the group's bits of a folder that we just made.
fn group_may_enter(folder: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = File::from(rustix::fs::open(folder, flags, Mode::empty())?);
    let mode = opened.metadata()?.mode() & 0o7777;
    if mode & 0o777 == FOLDER_MODE {
        return Ok(());
    }
    // A folder below one with the set-group-id bit has it as well.
    opened.set_permissions(Permissions::from_mode(mode & 0o7000 | FOLDER_MODE))
}

/// Takes from a file of ours what goes beyond [`FILE_MODE`]; nothing is ever added. Answers the mode that it had, if
/// that was too much.
///
/// # Errors
/// What the system answers.
pub fn tighten(path: &Path) -> io::Result<Option<u32>> {
    let metadata = path.symlink_metadata()?;
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() || mode & !FILE_MODE == 0 {
        return Ok(None);
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode & FILE_MODE))?;
    Ok(Some(mode))
}

/// A path with an ending after its whole name: `sitewatch.db` and `-wal`.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// The group that may read a file, by name if it has one: of the file itself, or where that cannot be told of the
/// first folder above it that can be looked at. `None` if the group has no right to read the file.
pub fn group_of(path: &Path) -> Option<String> {
    let metadata = match path.metadata() {
        Ok(metadata) if metadata.mode() & 0o040 == 0 => return None,
        Ok(metadata) => metadata,
        Err(_) => path
            .ancestors()
            .skip(1)
            .find_map(|above| above.metadata().ok())?,
    };
    Some(group_name(metadata.gid()).unwrap_or_else(|| metadata.gid().to_string()))
}

fn group_name(number: u32) -> Option<String> {
    name_in("/etc/group", number)
}

/// The name of a user of this machine; `None` if its own list has none, as of users that a directory service keeps.
/// It reads a file: not on the thread that checks.
pub fn user_name(number: u32) -> Option<String> {
    name_in("/etc/passwd", number)
}

/// The name of a number: in both files the first and the third field.
fn name_in(file: &str, number: u32) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(USERS_FILE_BYTES_MAX).read_to_string(&mut text))
        .ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_made_is_for_owner_and_group() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        make_folder(&folder).unwrap();
        assert_eq!(
            (mode(&folder), mode(&place.path().join("a"))),
            (0o750, 0o750)
        );
        let file = folder.join("f");
        create_new(&file).unwrap();
        assert_eq!(mode(&file), 0o640);
        assert_eq!(
            create_new(&file).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        open_or_create(&file).unwrap();
        assert_eq!(mode(&file), 0o600, "what is there stays as it is");
        assert_eq!(tighten(&file).unwrap(), None);
        for (was, is) in [(0o644, 0o640), (0o666, 0o640), (0o700, 0o600)] {
            std::fs::set_permissions(&file, Permissions::from_mode(was)).unwrap();
            assert_eq!((tighten(&file).unwrap(), mode(&file)), (Some(was), is));
        }
        std::fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        make_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o777, "folders that exist, too");
    }

    #[test]
    fn links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (link, target) = (place.path().join("link"), place.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(create_new(&link).is_err());
        assert!(open_or_create(&link).is_err());
        assert!(!target.exists());
        std::fs::write(&target, "precious").unwrap();
        assert!(open_or_create(&link).is_err());
        assert_eq!(tighten(&link).unwrap(), None);
        // A linked folder is a place like any other.
        let (real, linked) = (place.path().join("real"), place.path().join("linked"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &linked).unwrap();
        make_folder(&linked.join("below")).unwrap();
        assert!(real.join("below").is_dir());
        let below_a_file = make_folder(&target.join("x")).unwrap_err();
        assert_eq!(below_a_file.kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn the_group_is_named() {
        assert_eq!(group_name(0).as_deref(), Some("root"));
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("f");
        create_new(&file).unwrap();
        assert!(group_of(&file).is_some());
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(group_of(&file), None);
    }
}
