//go:build !linux || !(amd64 || arm64)

package pluginkit

import "errors"

var errUnsupported = errors.New("native plugins need Linux on amd64 or arm64")

func opaque() error  { return errUnsupported }
func confine() error { return errUnsupported }
