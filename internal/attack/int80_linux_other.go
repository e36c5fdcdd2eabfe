//go:build linux && !amd64

package attack

func getpid32() (int64, bool) { return 0, false }
