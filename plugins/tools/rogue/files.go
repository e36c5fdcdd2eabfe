package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

func init() {
	guest.Tool("files", "Does anything to any file of a workspace and tells what came.", files)
	guest.Tool("fill", "Fills a workspace until the host stops it.", fill)
}

// FilesArgs are the arguments of files.
type FilesArgs struct {
	Do        string `json:"do" enum:"read,list,stat,write,create,replace,append,rename,remove,mkdir,walk"`
	Workspace string `json:"workspace" default:"w"`
	Path      string `json:"path" default:"."`
	To        string `json:"to,omitempty" description:"the new path of what is renamed"`
	Text      string `json:"text,omitempty" description:"what is written"`
	Bytes     int    `json:"bytes,omitempty" minimum:"0" description:"write as many instead"`
	Version   string `json:"version,omitempty" description:"replace only what is of this version"`
}

// FilesResult is what came.
type FilesResult struct {
	Text    string   `json:"text,omitempty"`
	Bytes   int64    `json:"bytes"`
	Version string   `json:"version,omitempty"`
	Names   []string `json:"names,omitempty"`
}

func files(args FilesArgs) (r FilesResult, err error) {
	w, content := guest.Workspace(args.Workspace), []byte(args.Text)
	if args.Bytes > 0 {
		content = bytes.Repeat([]byte("x"), args.Bytes)
	}
	switch args.Do {
	case "read":
		content, r.Version, err = w.Read(args.Path)
		r.Bytes, r.Text = int64(len(content)), string(content[:min(len(content), 1000)])
	case "list":
		var list []fs.DirEntry
		list, err = w.ReadDir(args.Path)
		for _, e := range list {
			r.Names = append(r.Names, e.Name())
		}
	case "walk":
		err = fs.WalkDir(w, args.Path, func(path string, _ fs.DirEntry, err error) error {
			r.Names = append(r.Names, path)
			return err
		})
	case "stat":
		var info fs.FileInfo
		if info, err = w.Stat(args.Path); err == nil {
			r.Bytes, r.Version = info.Size(), info.Sys().(string)
		}
	case "write":
		err = w.WriteFile(args.Path, content)
	case "create":
		err = w.Create(args.Path, content)
	case "replace":
		r.Version, err = w.Replace(args.Path, content, args.Version)
	case "append":
		err = w.Append(args.Path, content)
	case "rename":
		err = w.Rename(args.Path, args.To)
	case "remove":
		err = w.Remove(args.Path)
	case "mkdir":
		err = w.MkdirAll(args.Path)
	}
	return r, err
}

// Filled is how far fill came.
type Filled struct {
	Files int    `json:"files"`
	Bytes int    `json:"bytes"`
	Why   string `json:"why" description:"the host's word"`
}

// FillArgs are the arguments of fill.
type FillArgs struct {
	Piece int `json:"piece" minimum:"0" maximum:"4000000" description:"bytes of each file"`
	Most  int `json:"most" minimum:"1" maximum:"100000" description:"files"`
}

func fill(args FillArgs) (Filled, error) {
	w, piece := guest.Workspace("w"), make([]byte, args.Piece)
	var done Filled
	for ; done.Files < args.Most; done.Files++ {
		if err := w.Create(fmt.Sprintf("fill/%d.%d", args.Piece, done.Files), piece); errors.Is(err, guest.ErrLimit) {
			done.Why = err.Error()
			break
		} else if err != nil {
			return done, err
		}
		done.Bytes += args.Piece
	}
	return done, nil
}
