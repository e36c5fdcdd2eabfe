// Package workspace serves the files of one granted folder to one plugin: list,
// stat, read, write, append, rename, remove.
//
//	w, err := workspace.Open(workspace.Config{Path: "/home/a/notes", Write: true})
//	entries, err := w.List("inbox", "", 100)
//
// Paths are the guest's words: relative, slash-separated, of plain UTF-8 names.
// They are walked folder by folder from a folder that was opened once (os.Root),
// and what has been opened is compared with what was looked at before. So
// neither "..", nor a symbolic link, nor a file that somebody exchanges at the
// wrong moment leads out of the folder, or past a name that is refused.
//
// # What is not served
//
//   - symbolic links, devices, named pipes, sockets: nothing but folders and
//     regular files;
//   - a file with a second name (a hard link): it may be one of outside;
//   - another file system that is mounted in the folder;
//   - version control's folders, environment files and keys (names.go has the
//     list), unless the policy names them. They do not appear in lists either.
//
// # Writing
//
// A file that is written whole takes its place by a rename: readers see the old
// content or the new, and a crash leaves one of them. Every entry carries a
// version, and a write can be made to depend on it: of two plugins that edit one
// file, in one host or in two, the second is told so, and nothing is lost. Each
// change holds a lock on its folder (flock), for which others wait until their call ends
// or Limits.LockWait is over, and nothing else waits; and what is written is stamped later
// than what it replaces. Programs that do not ask for the lock, native plugins among
// them, can come between, and one that writes within the resolution of the file
// system's clock can go unnoticed.
//
// Whoever runs the host may change the folder at any time. What a plugin may add
// to it is bounded (Limits).
package workspace
