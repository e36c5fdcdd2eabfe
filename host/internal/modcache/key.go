package modcache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"reflect"
	"runtime"
	"sort"
	"strings"

	"golang.org/x/sys/cpu"
)

// Inputs is everything that compiled code depends on.
type Inputs struct {
	// Module is the SHA-256 of the module as its author shipped it.
	Module [sha256.Size]byte
	// Engine is the engine's name.
	Engine string
	// Build is the digest of the engine's own code, the sandbox binary and
	// its libraries, so that a new version never loads an old one's output.
	Build string
	// MemoryPages is the maximum that was written into the memory section.
	MemoryPages uint64
	// TableElements is the same for tables.
	TableElements uint64
}

// Key names an entry.
type Key [sha256.Size]byte

// String is the key in hexadecimal, which is also the entry's file name.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Key derives the entry's name on this machine.
func (in Inputs) Key() Key { return in.on(runtime.GOARCH, cpuFeatures()) }

// on derives the entry's name on a machine.
func (in Inputs) on(arch, features string) Key {
	h := sha256.New()
	h.Write([]byte(magic))
	h.Write(in.Module[:])
	// Lengths keep two neighbouring strings from trading bytes.
	for _, s := range []string{in.Engine, in.Build, arch, features} {
		binary.Write(h, binary.LittleEndian, uint32(len(s)))
		h.Write([]byte(s))
	}
	binary.Write(h, binary.LittleEndian, in.MemoryPages)
	binary.Write(h, binary.LittleEndian, in.TableElements)
	return Key(h.Sum(nil))
}

// cpuFeatures lists the processor's features. Code that was compiled for one
// machine must not run on another that lacks an instruction.
func cpuFeatures() string {
	var features []string
	for _, arch := range []any{cpu.X86, cpu.ARM64} {
		v := reflect.ValueOf(arch)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if strings.HasPrefix(name, "Has") && v.Field(i).Kind() == reflect.Bool && v.Field(i).Bool() {
				features = append(features, name)
			}
		}
	}
	sort.Strings(features)
	return fmt.Sprint(features)
}
