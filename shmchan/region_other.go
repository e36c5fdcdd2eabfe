//go:build !linux

package shmchan

import "os"

// Only Linux seals memory files. Without seals a peer could truncate what we
// read or map what we write, so there is no weaker form.

func createFiles(*geometry, uint64) (out, in *region, files [2]*os.File, err error) {
	return nil, nil, files, ErrUnsupported
}

func attachFiles([2]*os.File, *geometry) (out, in *region, err error) {
	return nil, nil, ErrUnsupported
}
