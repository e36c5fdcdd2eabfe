//go:build !linux

package rundir

// Dir is the private folder of one host.
type Dir struct{}

// Open fails: sandboxes run on Linux only.
func Open(string) (*Dir, error) { return nil, ErrUnsupported }

// Path returns "".
func (*Dir) Path() string { return "" }

// Swept returns nothing.
func (*Dir) Swept() Swept { return Swept{} }

// Sub fails.
func (*Dir) Sub(string) (string, error) { return "", ErrUnsupported }

// Remove fails.
func (*Dir) Remove(string) error { return ErrUnsupported }

// Record fails.
func (*Dir) Record(int) error { return ErrUnsupported }

// Forget does nothing.
func (*Dir) Forget(int) {}

// Close does nothing.
func (*Dir) Close() error { return nil }
