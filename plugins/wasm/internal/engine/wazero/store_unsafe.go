package wazero

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unsafe"

	"github.com/tetratelabs/wazero"
)

// version is that of the dependency; compiled code of another one is refused by
// wazero itself, too.
const version = "v1.12.0"

// store keeps the compiled code of one module in memory.
//
// wazero writes compiled code to a folder and to nothing else, and a sandbox has
// no folder. Its cache is an interface inside, whose methods need no type of
// wazero's own, so a store can stand in for the folder. The field that it has to
// be put into is not exported: a version that names it otherwise fails in cache,
// and the tests with it.
type store struct {
	code []byte
	// stale says that wazero has thrown the code away: it is of another build.
	stale bool
}

// cache is a cache of wazero's over the store.
func (s *store) cache() (wazero.CompilationCache, error) {
	c := wazero.NewCompilationCache()
	v := reflect.ValueOf(c)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, errCache
	}
	field := v.Elem().FieldByName("fileCache")
	if !field.IsValid() || field.Kind() != reflect.Interface || !reflect.TypeOf(s).Implements(field.Type()) {
		return nil, errCache
	}
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(s))
	return c, nil
}

var errCache = fmt.Errorf("wazero %s is not as this package knows it: its cache has no place for compiled code", version)

// Get gives wazero the code, if there is any.
func (s *store) Get([32]byte) (io.ReadCloser, bool, error) {
	if s.code == nil {
		return nil, false, nil
	}
	return io.NopCloser(bytes.NewReader(s.code)), true, nil
}

// Add takes the code of a module that has been compiled.
func (s *store) Add(_ [32]byte, content io.Reader) (err error) {
	if s.code != nil {
		return errors.New("a second module was compiled")
	}
	s.code, err = io.ReadAll(content)
	return err
}

// Delete forgets code that is of another version.
func (s *store) Delete([32]byte) error {
	s.code, s.stale = nil, true
	return nil
}
