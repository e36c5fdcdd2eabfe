// Command notes is a Ringfence tool for Markdown notes in a folder: list, search,
// read, create and append.
//
// It needs one capability, a workspace:
//
//	plugin "notes" {
//	  source = "./notes.wasm"
//	  workspace "notes" {
//	    path   = "./notes"
//	    access = "write"    # without it, the notes can be read and searched
//	  }
//	}
//
// NOTES_WORKSPACE in the policy's env is the workspace's name, if that is another.
//
// A note is a file that ends in .md, at any depth. Its name is the path without the
// ending: work/ideas. Files of other kinds are not seen.
//
// Notes are safe under concurrent edits, by other calls, people and programs: create
// never replaces a note, append adds in one step whatever others add meanwhile, and
// no note is ever written over. What is read is a note's content at one moment; a
// search sees each note at a moment of its own.
package main
