//go:build !linux

package broker

import "os"

func unnamedFile(dir string) (*os.File, error) { return removedFile(dir) }
